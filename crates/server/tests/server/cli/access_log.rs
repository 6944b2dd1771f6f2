use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use super::sandbox::Sandbox;

/// Sends a request and answers the status and the rest.
fn send(url: &str, method: &str, path: &str, headers: &[&str], body: &str) -> (u16, String) {
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let headers: Vec<&str> = headers.iter().flat_map(|header| [*header, "\r\n"]).collect();
    let headers = headers.concat();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\
         {headers}\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer[9..12].parse().unwrap(), answer)
}

#[test]
fn the_log_says_who_came_in_and_what_was_refused_and_no_secret() {
    let sandbox = Sandbox::sqlite();
    let created = sandbox.run_ok("org create acme --json").json();
    let (secret_key, write_key) =
        (created["secret_key"].as_str().unwrap(), created["write_key"].as_str().unwrap());
    let setup = created["setup_link"].as_str().unwrap();
    let setup = &setup[setup.find("/sign-in").unwrap()..];
    let served = sandbox.serve("serve --listen 127.0.0.1:0");
    let url = served.url.clone();
    let form = "Content-Type: application/x-www-form-urlencoded";
    let owner = "email=ada%40of-acme.example&password=correct+horse+battery";
    let (status, signed_in) = send(&url, "POST", setup, &[form], owner);
    assert_eq!(status, 303, "{signed_in}");
    let cookie = signed_in.split("set-cookie: ").nth(1).unwrap().split(';').next().unwrap();
    for (password, expected) in [("wrong+password", 422), ("correct+horse+battery", 303)] {
        let body = format!("email=ada%40of-acme.example&password={password}");
        assert_eq!(send(&url, "POST", "/sign-in", &[form], &body).0, expected);
    }
    let nobody = "email=eve%40evil.example&password=wrong+password";
    assert_eq!(send(&url, "POST", "/sign-in", &[form], nobody).0, 422);
    let bearer = |key: &str| format!("Authorization: Bearer {key}");
    let json = "Content-Type: application/json";
    let keys = "/api/v1/keys";
    let (status, made) =
        send(&url, "POST", keys, &[&bearer(secret_key), json], r#"{"kind":"write"}"#);
    assert_eq!(status, 201, "{made}");
    let after =
        |name: &str| made.split(&format!("\"{name}\":\"")).nth(1).unwrap().split('"').next();
    let (id, text) = (after("id").unwrap(), after("key").unwrap());
    assert_eq!(send(&url, "DELETE", &format!("{keys}/{id}"), &[&bearer(secret_key)], "").0, 204);
    assert_eq!(send(&url, "GET", keys, &[&bearer(write_key)], "").0, 403);
    assert_eq!(send(&url, "GET", keys, &[&bearer("msk_guessed")], "").0, 401);
    let cookie = format!("Cookie: {cookie}");
    assert_eq!(send(&url, "GET", "/settings/keys", &[&cookie], "").0, 200);
    let log = served.stop("TERM").err;
    for expected in [
        "signed in with a one-time link",
        "wrong password",
        "no member with a password has this address",
        "signed in",
        "key created",
        "key revoked",
        id,
    ] {
        assert!(log.contains(expected), "{expected:?} is not in {log}");
    }
    let refused = |status: &str, by: &str| {
        log.lines().any(|line| {
            line.contains("refused")
                && line.contains(&format!("status={status}"))
                && line.contains(by)
        })
    };
    assert!(refused("403", "write key of") && refused("401", keys), "{log}");
    let link = setup.rsplit_once('/').unwrap().1;
    for secret in
        [secret_key, write_key, text, link, "of-acme.example", "evil.example", "correct", "guessed"]
    {
        assert!(!log.contains(secret), "{secret:?} is in {log}");
    }
}
