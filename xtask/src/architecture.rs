//! The crate table of `ARCHITECTURE.md`, enforced: who may use whom, and which library lives in which room.

use crate::metadata::Package;

/// One row of the table: a crate, the crates of ours that it may use, the libraries that it must never name.
struct Room {
    name: &'static str,
    may_use: &'static [&'static str],
    must_not_use: &'static [&'static str],
}

const WEB_STACK: &[&str] = &["axum", "hyper", "hyper-util", "reqwest", "tower"];

const ROOMS: &[Room] = &[
    Room { name: "postern-ids", may_use: &[], must_not_use: &["tokio", "rand", "hyper", "axum", "reqwest"] },
    Room {
        name: "postern-private-file",
        may_use: &[],
        must_not_use: &["tokio", "rand", "hyper", "axum", "reqwest", "sqlx"],
    },
    Room {
        name: "postern-canonical",
        may_use: &[],
        must_not_use: &["tokio", "rand", "hyper", "axum", "reqwest", "sqlx", "jiff"],
    },
    Room {
        name: "postern-token",
        may_use: &["postern-ids"],
        must_not_use: &["tokio", "hyper", "axum", "reqwest", "sqlx", "jiff"],
    },
    Room {
        name: "postern-api",
        may_use: &["postern-ids"],
        must_not_use: &["tokio", "hyper", "axum", "reqwest"],
    },
    Room {
        name: "postern-tunnel-proto",
        may_use: &["postern-ids"],
        must_not_use: &["tokio", "tokio-util", "socket2", "rand", "hyper", "axum", "reqwest", "jiff"],
    },
    Room {
        name: "postern-tunnel-io",
        may_use: &["postern-ids", "postern-tunnel-proto"],
        must_not_use: &["hyper", "axum", "reqwest", "cedar-policy"],
    },
    Room {
        name: "postern-policy",
        may_use: &["postern-ids"],
        must_not_use: &["tokio", "rand", "hyper", "axum", "reqwest", "socket2"],
    },
    Room {
        name: "postern-identity",
        may_use: &["postern-ids", "postern-token"],
        must_not_use: &["axum", "cedar-policy"],
    },
    Room { name: "postern-store", may_use: &["postern-ids", "postern-policy"], must_not_use: WEB_STACK },
    Room {
        name: "postern-web",
        may_use: &[
            "postern-ids",
            "postern-api",
            "postern-canonical",
            "postern-token",
            "postern-policy",
            "postern-identity",
            "postern-store",
        ],
        must_not_use: &["socket2", "tokio-rustls", "rustls"],
    },
    Room {
        name: "postern-gateway",
        may_use: &[
            "postern-ids",
            "postern-canonical",
            "postern-token",
            "postern-api",
            "postern-tunnel-io",
            "postern-policy",
            "postern-identity",
            "postern-store",
            "postern-web",
        ],
        must_not_use: &[],
    },
    Room {
        name: "postern-connector",
        may_use: &["postern-ids", "postern-private-file", "postern-token", "postern-tunnel-io"],
        must_not_use: &["axum"],
    },
    Room {
        name: "postern-client",
        may_use: &[
            "postern-ids",
            "postern-api",
            "postern-private-file",
            "postern-token",
            "postern-tunnel-io",
        ],
        must_not_use: &["axum"],
    },
    Room {
        name: "postern-bench",
        may_use: &["postern-ids", "postern-policy", "postern-tests", "postern-tunnel-io"],
        must_not_use: &["sqlx", "axum"],
    },
    Room { name: "postern-tests", may_use: &[], must_not_use: &["tokio", "reqwest"] },
    Room { name: "xtask", may_use: &["postern-tests"], must_not_use: &["tokio", "reqwest"] },
];

/// A library, and the only crates of ours that may name it.
const ONLY_UNDER: &[(&str, &[&str])] = &[
    ("sqlx", &["postern-store"]),
    ("openidconnect", &["postern-identity"]),
    ("jsonwebtoken", &["postern-token"]),
    // The bench is exempt: its floor relay is a bare WebSocket relay, built from the same libraries without our tunnel.
    ("tokio-tungstenite", &["postern-tunnel-io", "postern-bench"]),
    ("tungstenite", &["postern-tunnel-io", "postern-bench"]),
    ("cedar-policy", &["postern-policy"]),
    ("argon2", &["postern-identity"]),
];

/// Libraries that may not appear anywhere in the resolved graph: one TLS stack, one provider of cryptography.
const NOWHERE: &[&str] = &["ring", "openssl", "openssl-sys", "native-tls"];

/// Every way in which the graph disagrees with the table, as sentences.
pub(crate) fn violations(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages.iter().filter(|package| package.ours) {
        let Some(room) = ROOMS.iter().find(|room| room.name == package.name) else {
            found.push(format!("{} has no row in the crate table (xtask/src/architecture.rs)", package.name));
            continue;
        };
        found.extend(edges(package, room, packages));
        found.extend(lints(package));
    }
    found.extend(everywhere(packages));
    found
}

fn edges(package: &Package, room: &Room, packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for used in &package.uses {
        let ours = packages.iter().any(|other| other.ours && &other.name == used);
        if ours && !room.may_use.contains(&used.as_str()) && used != room.name {
            found.push(format!("{} may not use {used}", room.name));
        }
        if room.must_not_use.contains(&used.as_str()) {
            found.push(format!("{} must not know {used}", room.name));
        }
        if let Some((_, homes)) = ONLY_UNDER.iter().find(|(library, _)| library == used)
            && !homes.contains(&room.name)
        {
            found.push(format!("{used} belongs to {} only, but {} names it", homes.join(", "), room.name));
        }
    }
    found
}

fn lints(package: &Package) -> Option<String> {
    let manifest = std::fs::read_to_string(&package.manifest).unwrap_or_default();
    let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    let inherits = lines.find(|line| !line.is_empty()) == Some("workspace = true");
    (!inherits).then(|| format!("{} does not inherit the workspace's lints", package.name))
}

fn everywhere(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages {
        if NOWHERE.contains(&package.name.as_str()) {
            let users: Vec<&str> = packages
                .iter()
                .filter(|user| user.uses.contains(&package.name))
                .map(|user| user.name.as_str())
                .collect();
            found.push(format!("{} is in the graph, through {}", package.name, users.join(", ")));
        }
        if package.name == "axum" && package.features.iter().any(|feature| feature == "ws") {
            found.push("axum's feature `ws` is on: WebSockets belong to tunnel/io".to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, uses: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            license: None,
            source: None,
            manifest: format!("{}/Cargo.toml", env!("CARGO_MANIFEST_DIR")).into(),
            features: Vec::new(),
            uses: uses.iter().map(|name| (*name).to_owned()).collect(),
            ours: name.starts_with("postern-") || name == "xtask",
        }
    }

    #[test]
    fn a_crate_that_reaches_into_a_forbidden_room_is_named() {
        let graph = [package("postern-client", &["postern-policy"]), package("postern-policy", &[])];
        assert_eq!(violations(&graph), ["postern-client may not use postern-policy"]);
    }

    #[test]
    fn sql_outside_the_store_is_named() {
        let graph = [package("postern-web", &["sqlx"]), package("sqlx", &[])];
        assert_eq!(violations(&graph), ["sqlx belongs to postern-store only, but postern-web names it"]);
    }

    #[test]
    fn a_second_provider_of_cryptography_is_found_however_deep_it_hides() {
        let graph = [package("hidden", &["ring"]), package("ring", &[])];
        assert_eq!(violations(&graph), ["ring is in the graph, through hidden"]);
    }

    #[test]
    fn a_crate_without_a_row_is_refused() {
        assert_eq!(violations(&[package("postern-new", &[])]).len(), 1);
    }
}
