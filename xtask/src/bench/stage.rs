//! What a work needs around it: registries, a way to them, an image in place, a home directory with credentials.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use registry_authn::{Credential, Fixed};
use registry_faults::{peers, sample};
use registry_name::Registry as Name;
use registry_transport::{Hosts, Method, PAGE_CAP, Request, Transport};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::floor::{Curl, Layer};
use super::network::Network;
use super::programs::{Deed, Program, Reach};
use super::works::{Image, Kind, Server, Work};
use crate::run::output;
use crate::serving::Serving;

/// Everything around one work.
pub(crate) struct Stage {
    pub(crate) reach: Reach,
    /// What a registry holds at the start: `HOST:PORT/image:v1`.
    source: String,
    /// Where things are pushed and copied to.
    target: String,
    layout: PathBuf,
    registries: Vec<Registry>,
    folder: TempDir,
    runtime: Runtime,
}

struct Registry {
    served: Served,
    network: Option<Network>,
    /// The file of its own certificate authority, where it speaks TLS.
    authority: PathBuf,
}

enum Served {
    /// By ours, whose counters the transport asks for.
    Ours(Serving, Box<Transport>),
    /// By that of others, which nobody can ask.
    Theirs(peers::Server),
}

/// What the registries saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traffic {
    pub(crate) requests: Option<u32>,
    pub(crate) connections: Option<u32>,
}

/// `htpasswd -bnBC 4 bench bench`: whoever can read this may read what the benchmark serves.
const USERS: &str = "bench:$2y$04$CBkjZoxLhnpjHbW/l2f6AumYS1NXISUPAm97DEQZ308gIi2xe0ECe\n";
/// `bench:bench`.
const LOGIN: &str = "YmVuY2g6YmVuY2g=";

impl Stage {
    /// Starts what the work needs. `images` keeps the images of earlier works.
    pub(crate) fn set(work: &Work, ours: &Program, binary: &Path, images: &Path) -> Result<Self> {
        let folder = tempfile::tempdir_in(images)?;
        let layout = image(images, work.image)?;
        let authority = work.tls.then(|| folder.path().join("ca.pem"));
        let count = if work.kind == Kind::Copy { 2 } else { 1 };
        let mut registries = Vec::new();
        for number in 0..count {
            registries.push(Registry::start(work, binary, folder.path(), number)?);
        }
        if let Some(authority) = &authority {
            let each = registries.iter().map(|registry| fs::read_to_string(&registry.authority));
            fs::write(authority, each.collect::<std::io::Result<String>>()?)?;
        }
        let hosts = registries.iter().map(Registry::host).collect::<Result<Vec<_>>>()?;
        let home = folder.path().join("home");
        fs::create_dir_all(&home)?;
        let mut stage = Self {
            source: format!("{}/image:v1", hosts.first().context("no registry")?),
            target: hosts.last().context("no registry")?.clone(),
            reach: Reach { hosts, authority, home },
            layout,
            registries,
            folder,
            runtime: Runtime::new()?,
        };
        stage.log_in(work)?;
        if work.kind != Kind::Push {
            let deed = Deed::Push { layout: stage.layout.clone(), image: stage.source.clone() };
            let mut push = ours.command(&deed, &stage.reach).context("we push")?;
            output(&mut push)?;
            stage.clear_cache()?;
        }
        Ok(stage)
    }

    /// The deed of one turn, all of it new: nothing that another turn left is of use to it.
    pub(crate) fn deed(&self, work: &Work, by: &Program, round: usize) -> Deed {
        let fresh = format!("{}-{round}", by.name);
        let image = self.source.clone();
        let to = format!("{}/{fresh}:v1", self.target);
        match work.kind {
            Kind::Pull => Deed::Pull { image, layout: self.folder.path().join(fresh) },
            Kind::Push => Deed::Push { layout: self.layout.clone(), image: to },
            Kind::Copy | Kind::Mount | Kind::Again => Deed::Copy { from: image, to },
            Kind::Archive => {
                Deed::Archive { image, file: self.folder.path().join(format!("{fresh}.tar")) }
            }
            Kind::Digest(_) => Deed::Digest { image },
        }
    }

    /// Before each turn of a work where nothing may be remembered.
    pub(crate) fn clear_cache(&self) -> Result<()> {
        remove(&self.reach.home.join("cache"))
    }

    /// All requests and connections until now, without those that this asks for itself.
    pub(crate) fn traffic(&self) -> Result<Traffic> {
        let mut traffic = Traffic { requests: None, connections: None };
        for registry in &self.registries {
            if let Some(requests) = registry.requests(&self.runtime)? {
                *traffic.requests.get_or_insert(0) += requests;
            }
            if let Some(network) = &registry.network {
                *traffic.connections.get_or_insert(0) += network.connections();
            }
        }
        Ok(traffic)
    }

    /// The command by which `curl` moves the same bytes, for work that moves some.
    pub(crate) fn floor(&self, work: &Work) -> Result<Option<Command>> {
        let layers = layers(&self.layout)?;
        let curl = Curl::new(self.reach.authority.as_deref());
        match (work.kind, self.registries.as_slice()) {
            _ if work.is_rough() => Ok(None),
            (Kind::Pull | Kind::Archive, _) => {
                let host = self.reach.hosts.first().context("no registry")?;
                let scheme = if work.tls { "https" } else { "http" };
                let from = format!("{scheme}://{host}/v2/image/blobs/");
                Ok(Some(curl.pull(&from, &layers, work.image.bytes, self.folder.path())))
            }
            // Its sessions are open before it begins: only the bytes count.
            (
                Kind::Push,
                [Registry { served: Served::Ours(serving, transport), network: None, .. }],
            ) => {
                let uploads = layers.into_iter().map(|(digest, file)| {
                    let url = self.runtime.block_on(session(serving, transport, &digest))?;
                    Ok((file, url))
                });
                Ok(Some(curl.push(&uploads.collect::<Result<Vec<_>>>()?)))
            }
            _ => Ok(None),
        }
    }

    fn log_in(&mut self, work: &Work) -> Result<()> {
        if work.needs_login() {
            let auths: serde_json::Map<_, _> = self
                .reach
                .hosts
                .iter()
                .map(|host| (host.clone(), serde_json::json!({ "auth": LOGIN })))
                .collect();
            let config = serde_json::json!({ "auths": auths }).to_string();
            fs::write(self.reach.home.join("config.json"), config)?;
        }
        Ok(())
    }
}

impl Registry {
    fn start(work: &Work, binary: &Path, folder: &Path, number: usize) -> Result<Self> {
        let authority = folder.join(format!("ca-{number}.pem"));
        if let Server::Of(kind) = work.server {
            let served = Served::Theirs(peers::Server::start(kind)?);
            return Ok(Self { served, network: None, authority });
        }
        let mut serve = Command::new(binary);
        serve.args(["--quiet", "serve", "--address", "127.0.0.1:0", "--metrics"]);
        if work.way.is_none() {
            serve.arg("--disk").arg(folder.join(format!("store-{number}")));
        }
        if work.tls {
            serve.arg("--tls-self-signed").arg(&authority);
        }
        if work.needs_login() {
            let users = folder.join("users");
            fs::write(&users, USERS)?;
            serve.arg("--htpasswd").arg(users).arg("--bearer");
        }
        let serving = Serving::start(serve)?;
        let address: SocketAddr = serving.host()?.parse()?;
        let network = work.way.map(|way| Network::to(address, way)).transpose()?;
        let transport = transport(&serving, work.tls.then_some(&authority))?;
        Ok(Self { served: Served::Ours(serving, Box::new(transport)), network, authority })
    }

    /// Where programs reach it.
    fn host(&self) -> Result<String> {
        match (&self.network, &self.served) {
            (Some(network), _) => Ok(network.host()),
            (None, Served::Ours(serving, _)) => Ok(serving.host()?.to_owned()),
            (None, Served::Theirs(server)) => Ok(server.host()),
        }
    }

    /// What others asked of it. Read at the far end of the way, so that the question costs nothing that is measured.
    fn requests(&self, runtime: &Runtime) -> Result<Option<u32>> {
        let Served::Ours(serving, transport) = &self.served else { return Ok(None) };
        let request = Request::new(Method::GET, &serving.host()?.parse()?, "/metrics");
        let text =
            runtime.block_on(async { transport.send(request).await?.bytes(PAGE_CAP).await })?;
        let text = std::str::from_utf8(&text)?;
        let counts = text.lines().filter(|line| line.starts_with("registry_requests_total{"));
        let all: u32 = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u32>().ok()).sum();
        // Our own are among them, but for the last: a request is counted when it has been answered.
        let own = u32::try_from(transport.counters().requests)?;
        Ok(Some(all + 1 - own))
    }
}

/// Takes away what a turn wrote.
pub(crate) fn clear(deed: &Deed) -> Result<()> {
    match deed {
        Deed::Pull { layout, .. } => remove(layout),
        Deed::Archive { file, .. } => Ok(fs::remove_file(file)?),
        Deed::Push { .. } | Deed::Copy { .. } | Deed::Digest { .. } => Ok(()),
    }
}

/// Removes a folder, if it is there.
pub(crate) fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn transport(serving: &Serving, authority: Option<&PathBuf>) -> Result<Transport> {
    let registry: Name = serving.host()?.parse()?;
    let credential = Credential::basic("bench", "bench");
    let mut hosts = Hosts::default();
    if let Some(authority) = authority {
        hosts = hosts.tls(registry.clone()).ca_certificates(fs::read(authority)?);
    }
    let keychain = Arc::new(Fixed::for_registry(registry, credential));
    Ok(Transport::builder().keychain(keychain).hosts(hosts).build()?)
}

/// The image of a work as a layout with the tag `v1`, made once.
pub(crate) fn image(images: &Path, Image { layers, bytes }: Image) -> Result<PathBuf> {
    let layout = images.join(format!("image-{layers}-{bytes}"));
    if !layout.exists() {
        sample::large(&layout, "v1", layers, bytes)?;
    }
    Ok(layout)
}

/// Opens an upload session at a registry; where a blob of this digest is then put.
async fn session(serving: &Serving, transport: &Transport, digest: &str) -> Result<String> {
    let request = Request::new(Method::POST, &serving.host()?.parse()?, "/v2/floor/blobs/uploads/");
    let mut url = transport.send(request.expect(&[202])).await?.location()?;
    url.query_pairs_mut().append_pair("digest", digest);
    Ok(url.into())
}

/// The layers of the image in a layout.
fn layers(layout: &Path) -> Result<Vec<Layer>> {
    let file = |digest: &str| layout.join("blobs").join(digest.replacen(':', "/", 1));
    let digest = registry_faults::layout::resolve(layout, "v1")?.context("the image has no tag")?;
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(file(&digest))?)?;
    let layers = manifest["layers"].as_array().context("the manifest has no layers")?;
    let digests = layers.iter().filter_map(|layer| layer["digest"].as_str());
    Ok(digests.map(|digest| (digest.to_owned(), file(digest))).collect())
}
