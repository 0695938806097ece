//! A real `nginx` that speaks TLS before another server on this machine, with a folder of its own.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{Server, free_port, repository, request, wait_for};

/// A file of the tests' certificates. The server's is for `localhost`.
pub(crate) fn certificate(name: &str) -> String {
    repository("tests/fixtures/tls").join(name).display().to_string()
}

/// The server. It has two ports.
pub(crate) struct Nginx {
    /// It wants a client's certificate of the tests' authority.
    pub(crate) port: u16,
    /// It wants nothing, and speaks TLS 1.1 only.
    pub(crate) old_port: u16,
    // Before the folder: the server must have ended when the folder goes.
    _server: Server,
    _folder: TempDir,
}

impl Nginx {
    /// Starts one that hands on to `behind`.
    pub(crate) fn start(behind: u16) -> Self {
        let folder = tempfile::Builder::new().prefix("nginx").tempdir().unwrap();
        let (port, old_port, ready) = (free_port(), free_port(), free_port());
        let config = folder.path().join("nginx.conf");
        fs::write(&config, settings(folder.path(), [port, old_port, ready], behind)).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-e").arg("stderr").arg("-p").arg(folder.path()).arg("-c").arg(config);
        let mut server = Server::start("nginx", &mut command, folder.path());
        wait_for("nginx to answer", || {
            assert!(server.is_running(), "nginx has ended:\n{}", server.last_words());
            request(ready, "GET", "/", "").ok()
        });
        Self { port, old_port, _server: server, _folder: folder }
    }
}

fn settings(folder: &Path, [port, old_port, ready]: [u16; 3], behind: u16) -> String {
    let folder = folder.display();
    let (authority, server, key) =
        (certificate("ca.pem"), certificate("server.pem"), certificate("server.key"));
    // One process, so that nothing outlives it. OpenSSL has TLS 1.1 on its lowest level only.
    format!(
        r"daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_max_body_size 0;
  ssl_certificate {server};
  ssl_certificate_key {key};
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_client_certificate {authority};
    ssl_verify_client on;
    location / {{ proxy_pass http://127.0.0.1:{behind}; }}
  }}
  server {{
    listen 127.0.0.1:{old_port} ssl;
    ssl_protocols TLSv1.1;
    ssl_ciphers ALL:@SECLEVEL=0;
    location / {{ proxy_pass http://127.0.0.1:{behind}; }}
  }}
  server {{
    listen 127.0.0.1:{ready};
    return 204;
  }}
}}
"
    )
}
