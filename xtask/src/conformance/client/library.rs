//! Our own library as a client of the scenarios, with default policies except that its own waits are shorter.

use std::sync::{Arc, Mutex, PoisonError};

use registry_authn::{Anonymous, Credential, Fixed, Keychain, Secret};
use registry_faults::scenario::{Action, Class, Client, Done, Failure, Outcome, Task};
use registry_name::{Identifier, Registry, Repository};
use registry_remote::{CopyOptions, Error, ErrorKind, Layout, Sink, Source, copy};
use registry_transport::{Deadlines, Host, Hosts, Proxy, RetryPolicy, Transport};

/// How much shorter than by default our waits and deadlines are.
const HASTE: u32 = 10;

#[derive(Debug)]
pub(super) struct Library;

impl Client for Library {
    async fn run(&self, task: &Task) -> Outcome {
        let said = Arc::new(Mutex::new(Vec::new()));
        let result = act(task, &said).await.map_err(|error| failure(&error));
        let said = said.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
        Outcome { result, said }
    }
}

async fn act(task: &Task, said: &Arc<Mutex<Vec<String>>>) -> Result<Done, Broken> {
    let registry: Registry = task.registry.parse()?;
    let repository = Repository::new(&registry, &task.repository)?;
    let identifier: Identifier = task.reference.parse()?;
    let remote = client(task, &registry, said)?.remote(&repository);
    match task.action {
        Action::ListTags => {
            let tags = remote.tags().all().await?;
            Ok(Done::Tags(tags.iter().map(ToString::to_string).collect()))
        }
        Action::Digest => {
            let found = remote.head_manifest(&identifier).await?;
            let missing = || Error::NotFound {
                location: repository.to_string(),
                what: identifier.to_string(),
            };
            Ok(Done::Digest(found.ok_or_else(missing)?.digest.to_string()))
        }
        Action::Pull => {
            let source: Arc<dyn Source> = Arc::new(remote);
            let sink: Arc<dyn Sink> = Arc::new(Layout::create(&task.layout));
            copy(&source, &identifier, &sink, identifier.tag(), &CopyOptions::default()).await?;
            Ok(Done::Moved)
        }
        Action::Push => {
            let source: Arc<dyn Source> = Arc::new(Layout::open(&task.layout).await?);
            let sink: Arc<dyn Sink> = Arc::new(remote);
            copy(&source, &identifier, &sink, identifier.tag(), &CopyOptions::default()).await?;
            Ok(Done::Moved)
        }
    }
}

fn client(
    task: &Task,
    registry: &Registry,
    said: &Arc<Mutex<Vec<String>>>,
) -> Result<registry_remote::Client, Broken> {
    let keychain: Arc<dyn Keychain> = match &task.login {
        None => Arc::new(Anonymous),
        Some((user, password)) => {
            let credential = Credential::Basic {
                username: user.clone(),
                password: Secret::new(password.clone()),
            };
            Arc::new(Fixed::for_registry(registry.clone(), credential))
        }
    };
    let listener = Arc::clone(said);
    let transport = Transport::builder()
        .hosts(hosts(task, registry)?)
        .keychain(keychain)
        .policy(RetryPolicy::default().divided_by(HASTE))
        .deadlines(Deadlines::default().divided_by(HASTE))
        .events(Arc::new(move |event| {
            let mut said = listener.lock().unwrap_or_else(PoisonError::into_inner);
            said.push(format!("{event:?}"));
        }))
        .build()?;
    Ok(registry_remote::Client::new(transport))
}

/// What the task says about the registry's server.
fn hosts(task: &Task, registry: &Registry) -> Result<Hosts, Broken> {
    let Some(settings) = &task.settings else { return Ok(Hosts::default()) };
    let mut host = Host::new().tls().ca_certificates(settings.authority.as_slice());
    if let Some(own) = &settings.client {
        host = host.client_certificate(own.certificate.as_str(), own.key.as_str());
    }
    if let Some(proxy) = &settings.proxy {
        host = host.proxy(proxy.parse::<Proxy>()?);
    }
    Ok(Hosts::default().host(registry.clone().into(), host))
}

/// Any error on the way.
type Broken = Box<dyn std::error::Error + Send + Sync>;

fn failure(error: &Broken) -> Failure {
    let mut message = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        message.extend([": ", &error.to_string()]);
        cause = error.source();
    }
    let class = error.downcast_ref::<Error>().map(|error| class(error.kind()));
    Failure { class, message }
}

fn class(kind: ErrorKind) -> Class {
    match kind {
        ErrorKind::NotFound => Class::NotFound,
        ErrorKind::Denied => Class::Denied,
        ErrorKind::RateLimited => Class::RateLimited,
        ErrorKind::Integrity => Class::Integrity,
        ErrorKind::Network => Class::Network,
        _ => Class::Other,
    }
}
