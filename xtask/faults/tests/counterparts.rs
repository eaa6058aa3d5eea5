//! The registries of others start, answer, and are gone afterwards.

use std::net::TcpStream;

use registry_faults::peers::{self, Kind, Server};
use registry_faults::skip;

#[test]
fn registries_of_others_run_for_the_time_of_a_test() {
    for kind in Kind::ALL {
        if peers::find(kind.program()).is_none() {
            skip!("{} is not installed; `cargo xtask peers` installs what it can", kind.program());
            continue;
        }
        let server = Server::start(kind).unwrap();
        let host = server.host();
        assert!(TcpStream::connect(&host).is_ok());
        drop(server);
        assert!(TcpStream::connect(&host).is_err(), "{host} is still there");
    }
}
