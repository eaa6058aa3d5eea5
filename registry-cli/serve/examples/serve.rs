//! A registry on this machine:
//!
//! ```text
//! cargo run -p registry-serve --example serve -- --address 127.0.0.1:5000 --disk ./data
//! ```
//!
//! The address is the one line on stdout. `--user NAME:PASSWORD` asks for Basic, with `--bearer`
//! for tokens; `--read-only` refuses changes. Ctrl-C stops it.
#![allow(clippy::print_stdout, reason = "stdout tells where the registry is")]

use std::error::Error;
use std::io::Write;

use registry_serve::{Access, Registry};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut builder = Registry::builder();
    let (mut users, mut bearer) = (Vec::new(), false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--address" => builder = builder.address(value()?.parse()?),
            "--disk" => builder = builder.disk(value()?),
            "--user" => {
                let user = value()?;
                let (name, password) = user.split_once(':').ok_or("--user NAME:PASSWORD")?;
                users.push((name.to_owned(), password.to_owned()));
            }
            "--bearer" => bearer = true,
            "--read-only" => builder = builder.read_only(true),
            _ => return Err(format!("unknown argument {argument}").into()),
        }
    }
    if bearer {
        builder = builder.auth(Access::bearer(users));
    } else if !users.is_empty() {
        builder = builder.auth(Access::basic(users));
    }
    let registry = builder.spawn().await?;
    println!("{}", registry.host());
    std::io::stdout().flush()?;
    tokio::signal::ctrl_c().await?;
    registry.shutdown().await;
    Ok(())
}
