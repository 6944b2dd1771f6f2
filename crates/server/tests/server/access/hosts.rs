use mainstay::site::Site;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::World;

/// Sends bytes as they are and reads the answer to its end.
async fn raw(world: &World, request: &str) -> String {
    let address = world.url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_request_names_one_host_or_is_refused_before_anything_else() {
    let world = World::sqlite().await;
    let close = "Connection: close\r\n";
    for (path, hosts, status) in [
        ("/sign-in", "Host: localhost\r\n", "200"),
        ("/sign-in", "Host: localhost:8080\r\n", "200"),
        ("/sign-in", "Host: [::1]:8080\r\n", "200"),
        ("/api/openapi.json", "Host: any.example\r\n", "200"),
        ("/sign-in", "", "400"),
        ("/api/openapi.json", "", "400"),
        ("/healthz", "", "400"),
        ("/sign-in", "Host: localhost\r\nHost: evil.example\r\n", "400"),
        ("/api/v1/members", "Host: a.example\r\nHost: a.example\r\n", "400"),
        ("/sign-in", "Host:\r\n", "400"),
        ("/sign-in", "Host: a.example/x\r\n", "400"),
        ("/sign-in", "Host: user@a.example\r\n", "400"),
        ("/sign-in", "Host: a.example, b.example\r\n", "400"),
        ("/sign-in", "Host: a.example:99999\r\n", "400"),
        ("/sign-in", "Host: a b\r\n", "400"),
        ("http://a.example/sign-in", "Host: evil.example\r\n", "400"),
    ] {
        let answer = raw(&world, &format!("GET {path} HTTP/1.1\r\n{hosts}{close}\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {hosts:?}: {answer}");
        if status == "400" {
            assert!(
                answer.contains("application/problem+json") && answer.contains("Host: "),
                "{answer}"
            );
        }
    }
    // HTTP/1.0 knows no Host: load balancers look by it whether a server is alive, and no more.
    for (path, status) in [("/healthz", "200"), ("/readyz", "200"), ("/sign-in", "400")] {
        let answer = raw(&world, &format!("GET {path} HTTP/1.0\r\n\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.0 {status} ")), "{path}: {answer}");
    }
}

#[tokio::test]
async fn every_response_has_security_headers() {
    let plain = World::sqlite().await;
    let https = World::sqlite_at(|site| Site {
        public_url: "https://success.example.com".parse().unwrap(),
        is_public_url_configured: true,
        ..site
    })
    .await;
    for world in [&plain, &https] {
        for (path, policy) in [
            ("/sign-in", "same-origin"),
            ("/nowhere", "same-origin"),
            ("/assets/app.css", "same-origin"),
            ("/api/openapi.json", "same-origin"),
            ("/api/v1/members", "same-origin"),
            // What pages of other sites load.
            ("/widgets.js", "cross-origin"),
            ("/widgets/v1/style.css", "cross-origin"),
            ("/v1/track", "cross-origin"),
            ("/email/open/x", "cross-origin"),
        ] {
            let answer = world.send(world.request("GET", path)).await;
            let header = |name: &str| answer.headers.get(name).map(|value| value.to_str().unwrap());
            assert_eq!(header("cross-origin-resource-policy"), Some(policy), "{path}");
            let permissions = header("permissions-policy").unwrap();
            assert!(permissions.contains("camera=()") && permissions.contains("geolocation=()"));
            // A browser that has heard it once refuses plain HTTP: only where HTTPS was chosen.
            let hsts = std::ptr::eq(world, &raw const https).then_some("max-age=31536000");
            assert_eq!(header("strict-transport-security"), hsts, "{path}");
        }
    }
}
