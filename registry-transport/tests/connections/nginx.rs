//! A real server with TLS that wants a client certificate.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use registry_faults::tls::{Authority, Valid};
use registry_faults::{peers, skip};
use registry_transport::Host;

use crate::{get, hosts, told, transport};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(program: &Path, folder: &Path, port: u16) -> io::Result<Running> {
    let at = folder.display();
    let config = format!(
        "daemon off; master_process off; pid {at}/pid; error_log stderr; events {{}}
        http {{
            access_log off; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;
            fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
            server {{
                listen 127.0.0.1:{port} ssl;
                ssl_certificate {at}/server.pem; ssl_certificate_key {at}/server.key;
                ssl_client_certificate {at}/clients.pem; ssl_verify_client on;
                location /v2/ {{ return 200 '{{}}'; }}
            }}
        }}"
    );
    fs::write(folder.join("nginx.conf"), config)?;
    let child = Command::new(program)
        .args(["-p".as_ref(), folder, "-c".as_ref(), &folder.join("nginx.conf")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(folder.join("log"))?)
        .spawn()?;
    let running = Running(child);
    let started = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if started.elapsed() > Duration::from_secs(20) {
            return Err(io::Error::other(fs::read_to_string(folder.join("log"))?));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(running)
}

#[tokio::test]
async fn nginx_is_shown_a_client_certificate() {
    let system = Path::new("/usr/sbin/nginx");
    let Some(program) = peers::find("nginx").or_else(|| system.is_file().then(|| system.into()))
    else {
        return skip!("a client certificate for nginx: nginx is not installed");
    };
    let (servers, clients) = (Authority::new().unwrap(), Authority::new().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let server = servers.issue(&["127.0.0.1"], Valid::Now).unwrap();
    for (name, text) in [
        ("server.pem", server.certificate),
        ("server.key", server.key),
        ("clients.pem", clients.pem()),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let _running = match start(&program, folder.path(), port) {
        Ok(running) => running,
        Err(reason) => return skip!("a client certificate for nginx: {reason}"),
    };
    let name = format!("127.0.0.1:{port}");
    let host = || Host::new().tls().ca_certificates(servers.pem());
    let mine = clients.issue(&["me"], Valid::Now).unwrap();
    let known = host().client_certificate(mine.certificate, mine.key);
    get(&transport(hosts(&name, known), &[]), &name, "/v2/").await.unwrap();
    // It says so over HTTP, in its own words.
    let error = get(&transport(hosts(&name, host()), &[]), &name, "/v2/").await.unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(400), "{}", told(&error));
}
