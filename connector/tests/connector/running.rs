//! A stream that runs, with the client and the gateway that made it.

use crate::{
    client::{Attempt, Client, data, send, welcome},
    gateway::{self, Gateway},
    target::{heard, target},
};
use postern_ids::Refusal;
use postern_token::GrantClaims;
use postern_tunnel_io::{Lane, Link};
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// A stream that runs, for attempts that must not disturb it.
pub(crate) struct Running {
    pub(crate) gateway: Gateway,
    pub(crate) link: Link,
    pub(crate) client: Client,
    pub(crate) claims: GrantClaims,
    pub(crate) lane: Lane,
    pub(crate) tcp: TcpStream,
    pub(crate) instance: [u8; 16],
    pub(crate) connector: gateway::Running,
}

impl Running {
    /// At generation 5.
    pub(crate) async fn start() -> Self {
        let (target, address, allow) = target().await;
        let (gateway, connector) = Gateway::with_connector(&allow).await;
        let link = gateway.accept().await.link;
        let client = Client::new();
        let claims = client.claims(&gateway, address);
        let attempt = Attempt { generation: 5, ..Attempt::first() };
        let mut lane = client.open(&gateway, &link, &claims, attempt).await.unwrap();
        let (_, _, instance) = welcome(&mut lane).await;
        let (tcp, _) = target.accept().await.unwrap();
        Self { gateway, link, client, claims, lane, tcp, instance, connector }
    }

    pub(crate) fn resume(&self, generation: u32) -> Attempt {
        Attempt { generation, resume_only: true, received: 0, instance: self.instance }
    }

    pub(crate) async fn refused(&self, claims: &GrantClaims, attempt: Attempt) -> Refusal {
        let opened = self.client.open(&self.gateway, &self.link, claims, attempt).await;
        Refusal::from_code(opened.unwrap_err()).unwrap()
    }

    /// The stream is as it was.
    pub(crate) async fn assert_undisturbed(mut self) {
        send(&mut self.lane, 0, b"up").await;
        assert_eq!(&heard::<2>(&mut self.tcp).await, b"up");
        self.tcp.write_all(b"down").await.unwrap();
        assert_eq!(data(&mut self.lane).await, (0, b"down".to_vec()));
    }
}
