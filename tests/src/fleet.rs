//! Gateways on one Postgres, with a fault proxy before each of the two ways in: one for clients, one for the connector.

use crate::world::{self, ALICE, OWNER};
use crate::{
    Chance, Client, Connector, FaultProxy, Gateway, GatewayOptions, Postgres, Scratch, Signal, Sshd, Witness,
    postgres, tools, wait,
};
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Links and changes are there within this, on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// A gateway that is asked to end is gone within this: what may last longest is a plain session's time to finish.
const DRAINED_WITHIN: Duration = Duration::from_secs(45);

/// What a fleet is to be.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the programs lie; beside the test program if nothing is said.
    pub programs: Option<PathBuf>,
    /// How many gateways.
    pub gateways: usize,
    /// Whether its Postgres is its own, to be broken.
    pub has_own_server: bool,
    /// What decides the proxies' chances.
    pub seed: u64,
    /// The address of this machine that the proxies listen on.
    pub address: Ipv4Addr,
    /// Settings of every gateway, as `limits.drain_seconds=5`.
    pub settings: Vec<String>,
    /// The section `limits` of the connector's configuration, as `resume_window_seconds = 5`.
    pub connector_limits: Vec<String>,
    /// Variables of the gateways.
    pub gateway_environment: Vec<(String, String)>,
    /// Variables of the connector.
    pub connector_environment: Vec<(String, String)>,
    /// Variables of the commands of owner and engineer.
    pub client_environment: Vec<(String, String)>,
}

impl Plan {
    /// So many gateways on the loopback address.
    pub fn of(gateways: usize) -> Self {
        Self {
            programs: None,
            gateways,
            has_own_server: false,
            seed: 3,
            address: Ipv4Addr::LOCALHOST,
            // A test opens sessions faster than a person.
            settings: vec!["limits.opens_per_second=200".to_owned(), "limits.opens_burst=800".to_owned()],
            connector_limits: Vec::new(),
            gateway_environment: Vec::new(),
            connector_environment: Vec::new(),
            client_environment: Vec::new(),
        }
    }

    /// With a resume window of so many seconds at the connector.
    #[must_use]
    pub fn window(mut self, seconds: u32) -> Self {
        self.connector_limits.push(format!("resume_window_seconds = {seconds}"));
        self
    }
}

/// One gateway and the ways to it.
#[derive(Debug)]
pub struct Node {
    /// The gateway.
    pub gateway: Gateway,
    /// What clients dial.
    pub front: FaultProxy,
    /// What the connector dials.
    pub back: FaultProxy,
}

/// Everything, running: the site `office` with the resources `bastion` (ssh) and `echo` (the witness).
#[derive(Debug)]
pub struct Fleet {
    /// The gateways; the address of the first is the public URL of all.
    pub nodes: Vec<Node>,
    /// The private sshd.
    pub sshd: Sshd,
    /// The echo target with its accounts.
    pub witness: Witness,
    /// The connector.
    pub connector: Connector,
    /// The owner, signed in.
    pub owner: Client,
    /// An engineer, signed in; engineers may connect to everything in the office.
    pub alice: Client,
    /// The store of all, and its server if the run has none.
    store: String,
    server: Option<Postgres>,
}

impl Fleet {
    /// Starts it in a directory.
    pub fn start(scratch: &Scratch, plan: &Plan) -> Result<Self> {
        let programs = plan.programs.clone().map_or_else(tools::programs, Ok)?;
        let (store, server) = shared_store(plan)?;
        let (sshd, witness) = (Sshd::start(&scratch.join("sshd"))?, Witness::start()?);
        let nodes = start_nodes(scratch, plan, &programs, &store)?;
        let first = nodes.first().context("a fleet of none")?;
        let owner = dressed(Client::new(&programs, &scratch.join("olivia"))?, plan);
        // Each start of a gateway makes a new bootstrap token until there is an owner; the last one counts.
        let last = nodes.last().context("a fleet of none")?;
        owner.bootstrap(&last.gateway, OWNER.0, OWNER.1)?.expect(0)?;
        owner.write_secret("alice.password", ALICE.1)?;
        owner.apply(&world::documents(sshd.port()))?.expect(0)?;
        let mut connector = world::enroll(&owner, &programs, &scratch.join("connector"), &["127.0.0.1:*"])?;
        for (name, value) in &plan.connector_environment {
            connector = connector.with_environment(name, value);
        }
        connector.configure(&connector_file(&nodes, plan))?;
        connector.run()?;
        let alice = dressed(Client::new(&programs, &scratch.join("alice"))?, plan);
        alice.sign_in_with_browser(&first.gateway, ALICE.0, ALICE.1)?;
        alice.ssh_configuration(&sshd)?;
        let fleet = Self { nodes, sshd, witness, connector, owner, alice, store, server };
        fleet.await_links()?;
        fleet.add_tcp("echo", fleet.witness.address())?;
        Ok(fleet)
    }

    /// Waits until the connector has links to every gateway.
    pub fn await_links(&self) -> Result<Duration> {
        let count = self.nodes.len();
        wait::until("the connector's links to every gateway", SOON, || self.gateways_linked() == count)
            .with_context(|| self.connector.log())
    }

    /// How many gateways the connector has all its links to.
    pub fn gateways_linked(&self) -> usize {
        let Ok(status) = self.connector.status() else { return 0 };
        let links = status["status"]["links"].as_array().cloned().unwrap_or_default();
        let is_up = |node: &&Node| {
            let mut own = links.iter().filter(|link| {
                let gateway = link["gateway"].as_str().unwrap_or_default().trim_end_matches('/');
                gateway == url_of(&node.back)
            });
            own.clone().next().is_some() && own.all(|link| link["state"] == "up")
        };
        self.nodes.iter().filter(is_up).count()
    }

    /// A node by its number.
    pub fn node(&mut self, number: usize) -> Result<&mut Node> {
        self.nodes.get_mut(number).with_context(|| format!("no gateway {number}"))
    }

    /// Kills a gateway without notice and starts it again at once; gives the time until it listened again.
    pub fn kill_and_restart(&mut self, number: usize) -> Result<Duration> {
        let node = self.node(number)?;
        node.gateway.kill()?;
        let began = Instant::now();
        node.gateway.restart()?;
        Ok(began.elapsed())
    }

    /// Asks a gateway to end, as an upgrade does, and starts it again; gives the time from the signal to the end, and from
    /// there until it listened again.
    pub fn roll(&mut self, number: usize) -> Result<(Duration, Duration)> {
        let node = self.node(number)?;
        let began = Instant::now();
        node.gateway.stop(DRAINED_WITHIN)?;
        let stopped = began.elapsed();
        node.gateway.restart()?;
        Ok((stopped, began.elapsed().saturating_sub(stopped)))
    }

    /// Signals a gateway.
    pub fn signal(&mut self, number: usize, signal: Signal) -> Result<()> {
        self.node(number)?.gateway.process().signal(signal)
    }

    /// The server of the store, if the plan asked for one of its own.
    pub fn server(&mut self) -> Result<&mut Postgres> {
        self.server.as_mut().context("the server belongs to the run")
    }

    /// Adds a TCP resource to the office; engineers may connect to it.
    pub fn add_tcp(&self, name: &str, target: SocketAddr) -> Result<()> {
        let document = format!("kind: resource\nname: {name}\nsite: office\ntype: tcp\ntarget: {target}\n");
        self.owner.apply(&document)?.expect(0)?;
        let listed = || self.alice.run(&["ls"]).is_ok_and(|ran| ran.stdout.contains(name));
        wait::until("the resource in force", SOON, listed)?;
        Ok(())
    }

    /// Asks the store that all share.
    pub fn query(&self, sql: &str) -> Result<String> {
        postgres::query(&self.store, sql)
    }

    /// How many times sessions were resumed, as far as the records have reached the store.
    pub fn resumes(&self) -> Result<u64> {
        Ok(self.query("select count(*) from audit where kind = 'session.resumed'")?.parse()?)
    }

    /// Takes away what lets engineers in.
    pub fn revoke_engineers(&self) -> Result<()> {
        world::revoke_engineers(&self.owner)
    }

    /// Lets engineers in again, for so long.
    pub fn grant_engineers_for(&self, limit: Duration) -> Result<()> {
        world::grant_engineers_for(&self.owner, limit)
    }
}

/// The URL under which a proxy is dialed.
pub fn url_of(proxy: &FaultProxy) -> String {
    format!("https://{}", proxy.address())
}

fn shared_store(plan: &Plan) -> Result<(String, Option<Postgres>)> {
    if !plan.has_own_server
        && let Some(store) = postgres::database_of_the_run()?
    {
        return Ok((store, None));
    }
    let server = Postgres::start()?;
    Ok((postgres::fresh_database(&server.url("postgres"))?, Some(server)))
}

fn start_nodes(scratch: &Scratch, plan: &Plan, programs: &Path, store: &str) -> Result<Vec<Node>> {
    let mut chance = Chance::new(plan.seed);
    let mut ways = Vec::new();
    for _ in 0..plan.gateways {
        let front = FaultProxy::unconnected(plan.address, chance.number())?;
        ways.push((front, FaultProxy::unconnected(plan.address, chance.number())?));
    }
    let gateways: Vec<String> = ways.iter().map(|(front, _)| url_of(front)).collect();
    let mut nodes: Vec<Node> = Vec::new();
    for (number, (front, back)) in ways.into_iter().enumerate() {
        let options = GatewayOptions {
            store: Some(store.to_owned()),
            public_url: gateways.first().cloned(),
            gateways: if plan.gateways > 1 { gateways.clone() } else { Vec::new() },
            master_key: nodes.first().map(|first| first.gateway.master_key()),
            set: plan.settings.clone(),
            environment: plan.gateway_environment.clone(),
            ..GatewayOptions::default()
        };
        let gateway = Gateway::start(programs, &scratch.join(&format!("gateway-{number}")), &options)?;
        let address = gateway.public_address().parse().context("the gateway's address")?;
        front.lead_to(address);
        back.lead_to(address);
        nodes.push(Node { gateway, front, back });
    }
    Ok(nodes)
}

fn connector_file(nodes: &[Node], plan: &Plan) -> String {
    let gateways: Vec<String> = nodes.iter().map(|node| url_of(&node.back)).collect();
    format!("gateways = {gateways:?}\n[limits]\n{}\n", plan.connector_limits.join("\n"))
}

fn dressed(client: Client, plan: &Plan) -> Client {
    plan.client_environment.iter().fold(client, |client, (name, value)| client.with_environment(name, value))
}
