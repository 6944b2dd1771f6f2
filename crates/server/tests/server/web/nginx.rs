//! Through the real nginx: as the guide sets it up, and with nothing but `proxy_pass`.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    sync::Arc,
};

use mainstay::site::Site;
use mainstay_store::Role;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, pem::PemObject as _},
    },
};

use super::{
    browser::{Browser, PASSWORD, email, member_id},
    live::Stream,
};
use crate::support::World;

const HOST: &str = "success.example.com";
/// What the guide says that events may take.
const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// A running nginx.
struct Nginx {
    process: Child,
    port: u16,
    folder: TempDir,
    /// Kept open, so that it can go on to write there.
    _log: BufReader<ChildStderr>,
}

impl Nginx {
    /// Starts it with a server that is written for its port and its folder.
    fn start(server: impl Fn(u16, &Path) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Whether a port is free is only sure once it is taken. These are below those that outgoing
        // connections take.
        for _ in 0..20 {
            let port = fastrand::u16(20_000..32_000);
            fs::write(
                folder.path().join("conf"),
                configuration(folder.path(), &server(port, folder.path())),
            )
            .unwrap();
            // Debian keeps it out of the PATH of others than root.
            let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap());
            let mut process = Command::new("nginx")
                .env("PATH", path)
                .args(["-e", "stderr", "-c"])
                .arg(folder.path().join("conf"))
                .stderr(Stdio::piped())
                .spawn()
                .expect("nginx is there; on Debian: apt-get install nginx");
            let mut log = BufReader::new(process.stderr.take().unwrap());
            let mut said = String::new();
            // It says which events it waits for when its ports are open.
            while log.read_line(&mut said).unwrap() > 0 && !said.contains("event method") {
                if said.contains("Address already in use") {
                    break;
                }
            }
            if said.contains("event method") {
                return Self { process, port, folder, _log: log };
            }
            let _ = process.kill();
            let _ = process.wait();
            assert!(said.contains("Address already in use"), "nginx did not start: {said}");
        }
        panic!("no port is free");
    }

    /// Where what is sent in plain arrives at nginx over TLS: our own client speaks no TLS.
    async fn encrypted(&self) -> SocketAddr {
        let mut roots = RootCertStore::empty();
        let certificate = self.folder.path().join("certificate");
        roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, port) = (listener.local_addr().unwrap(), self.port);
        tokio::spawn(async move {
            loop {
                let (mut plain, _) = listener.accept().await.unwrap();
                let connector = connector.clone();
                tokio::spawn(async move {
                    let connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    let name = HOST.try_into().unwrap();
                    let mut encrypted = connector.connect(name, connection).await.unwrap();
                    // Either side may hang up.
                    let _ = copy_bidirectional(&mut plain, &mut encrypted).await;
                });
            }
        });
        address
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What Debian has around a server, but that all it writes is in a folder, and that it is one process.
fn configuration(folder: &Path, server: &str) -> String {
    let folder = folder.display();
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("    {what}_temp_path {folder}/{what};\n"))
        .concat();
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log stderr notice;\n\
         events {{}}\nhttp {{\n{paths}    access_log off;\n    sendfile on;\n    tcp_nopush on;\n    \
         gzip on;\n    ssl_prefer_server_ciphers on;\n{server}\n}}\n"
    )
}

/// The guide's server, on other ports and with a certificate that somebody has.
fn guides_server(world: &World, port: u16, folder: &Path) -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/operate.md");
    let guide = fs::read_to_string(guide).unwrap();
    let (_, rest) = guide.split_once("```nginx\n").expect("the guide has a server of nginx");
    let mut server = rest.split_once("```").unwrap().0.to_owned();
    let path = |file: &str| folder.join(file).display().to_string();
    for (there, here) in [
        ("listen 443 ssl;", format!("listen 127.0.0.1:{port} ssl;")),
        ("/etc/ssl/success.example.com.pem", path("certificate")),
        ("/etc/ssl/success.example.com.key", path("key")),
        ("http://127.0.0.1:8080", world.url().to_owned()),
    ] {
        assert!(server.contains(there), "{there} is not in {server}");
        server = server.replace(there, &here);
    }
    server
}

/// Makes a key and a certificate that nobody but the test believes in.
fn make_certificate(folder: &Path) {
    let settings = folder.join("certificate.conf");
    fs::write(
        &settings,
        format!(
            "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = extensions\n\
             [name]\nCN = {HOST}\n[extensions]\nsubjectAltName = DNS:{HOST}\n\
             basicConstraints = critical, CA:FALSE\n"
        ),
    )
    .unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    openssl.args(["-nodes", "-days", "2", "-config"]).arg(&settings);
    openssl.arg("-keyout").arg(folder.join("key")).arg("-out").arg(folder.join("certificate"));
    let made = openssl.output().expect("openssl is there; on Debian: apt-get install openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// A batch of so many bytes: large events, and blanks.
fn batch_of(bytes: usize) -> String {
    let events: Vec<Value> = (0..125)
        .map(|number| {
            let data = json!({"text": "x".repeat(30_000)});
            json!({"client_id": "ada", "event": "login", "message_id": format!("large-{number}"), "data": data})
        })
        .collect();
    let mut batch = Value::from(events).to_string();
    assert!(batch.len() > bytes / 10 * 8, "hardly any of it is events");
    batch.extend(std::iter::repeat_n(' ', bytes - batch.len()));
    batch
}

#[tokio::test]
#[ignore = "needs nginx: ./check installs it"]
async fn as_the_guide_says_nginx_passes_on_what_people_and_apps_need() {
    let world = World::sqlite_at(|site| Site {
        public_url: format!("https://{HOST}").parse().unwrap(),
        is_public_url_configured: true,
        behind_proxy: true,
        ..site
    })
    .await;
    let nginx = Nginx::start(|port, folder| {
        make_certificate(folder);
        guides_server(&world, port, folder)
    });
    let address = nginx.encrypted().await;
    let through = || {
        let http = reqwest::Client::builder().resolve(HOST, address);
        Browser::resolving(&format!("http://{HOST}"), http)
    };

    // A session is kept by a cookie that only travels encrypted, and links lead to where people are.
    let staff = through();
    let member = member_id(&world, &world.acme, Role::Staff).await;
    world.mainstay.set_password(world.acme.id, member, PASSWORD).await.unwrap();
    let origin = [("origin", "https://success.example.com")];
    let form = [("email", &*email(&world.acme, Role::Staff)), ("password", PASSWORD)];
    let signed_in = staff.send("POST", "/sign-in", &origin, Some(&form)).await;
    assert_eq!(signed_in.leads_to(), "/portfolio");
    let cookie = signed_in.cookie().unwrap();
    assert!(cookie.starts_with("__Host-mainstay=") && cookie.contains("; Secure"), "{cookie}");
    let page = staff.get("/live").await;
    assert!(page.page(200).contains("https://success.example.com/"), "{page:#?}");
    assert!(!page.text.contains("127.0.0.1") && !page.text.contains("http://success"), "{page:#?}");

    // What happens is told at once.
    let mut stream = Stream::of(staff.request("GET", "/live/stream")).await;
    let send = async |body: String| {
        let request = staff.request("POST", "/api/v1/events").bearer_auth(&world.acme.write_key);
        let request = request.header("content-type", "application/json").body(body);
        world.send(request).await
    };
    let event = json!({"client_id": "ada", "event": "login"});
    send(event.to_string()).await.json(200);
    assert_eq!(stream.next("event").await["clients"], json!(["ada"]));

    // As much may come at once as the guide says, and no more.
    let taken = send(batch_of(MAX_BATCH_BYTES)).await.json(200);
    assert_eq!(taken["stored"], 125, "{taken}");
    assert_eq!(send(batch_of(MAX_BATCH_BYTES + 1)).await.status, 413);

    // A stream ends with its session.
    staff.send("POST", "/sign-out", &origin, Some(&[])).await;
    stream.ends().await;

    // Whoever tries passwords is known by the address that nginx sees, whatever they say.
    let guess = async |said: u8| {
        let address = format!("203.0.113.{said}");
        let headers = [("x-forwarded-for", &*address), ("forwarded", "for=203.0.113.99")];
        let form = [("email", "guess@example.com"), ("password", "wrong")];
        through().send("POST", "/sign-in", &headers, Some(&form)).await
    };
    for said in 0..10 {
        guess(said).await.page(422);
    }
    guess(10).await.page(429);
    world.close().await;
}

#[tokio::test]
#[ignore = "needs nginx: ./check installs it"]
async fn with_nothing_but_proxy_pass_nginx_holds_no_news_back() {
    let world = World::sqlite().await;
    let server = |port: u16, _: &Path| {
        let upstream = world.url();
        format!("server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {upstream}; }} }}")
    };
    let nginx = Nginx::start(server);
    let url = format!("http://127.0.0.1:{}", nginx.port);
    let staff = Browser::at(&url);
    let member = member_id(&world, &world.acme, Role::Staff).await;
    world.mainstay.set_password(world.acme.id, member, PASSWORD).await.unwrap();
    staff.sign_in(&email(&world.acme, Role::Staff), PASSWORD).await.leads_to();
    let client = Browser::at(&url);
    let token = world.client_token("ada");
    client.get(&format!("/client/sign-in?token={token}")).await.leads_to();

    let mut stream = Stream::of(staff.request("GET", "/live/stream")).await;
    let mut own = Stream::of(client.request("GET", "/client/stream")).await;
    for number in 0..3 {
        let event = json!({"client_id": "ada", "event": "login", "message_id": number.to_string()});
        world.post(&world.acme.write_key, "/api/v1/events", event).await.json(200);
        assert_eq!(stream.next("event").await["clients"], json!(["ada"]));
        assert_eq!(own.next("standings").await, json!({"clients": ["ada"]}));
    }
    staff.post("/sign-out", &[]).await;
    stream.ends().await;
    world.mainstay.replace_client_token_secret(world.acme.id).await.unwrap();
    own.ends().await;
    world.close().await;
}
