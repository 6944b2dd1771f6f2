//! Options, environment and `mainstay.toml`, and what organizations, keys and members print.

use super::sandbox::Sandbox;

#[test]
fn the_database_comes_from_the_option_then_the_environment_then_the_file_then_the_default() {
    let sandbox = Sandbox::sqlite();
    let used = |file: &str| {
        let path = sandbox.path(file);
        let used = path.exists();
        std::fs::remove_file(path).unwrap_or_default();
        used
    };
    let run = |args: &[&str], env: Option<&str>| {
        let mut command = sandbox.command(args);
        command.envs(env.map(|url| ("MAINSTAY_DATABASE_URL", url)));
        assert!(command.output().unwrap().status.success(), "{args:?}");
    };
    run(&["org", "list"], None);
    assert!(used("mainstay.db"));
    sandbox.write("mainstay.toml", "database = \"sqlite:file.db\"\n");
    run(&["org", "list"], None);
    assert!(used("file.db"));
    run(&["org", "list"], Some("sqlite:env.db"));
    assert!(used("env.db") && !used("file.db"));
    run(&["--database", "sqlite:flag.db", "org", "list"], Some("sqlite:env.db"));
    assert!(used("flag.db") && !used("env.db"));
    run(&["org", "list", "--database", "sqlite:flag.db"], Some("sqlite:env.db"));
    assert!(used("flag.db") && !used("env.db") && !used("mainstay.db"));
    sandbox.write("other.toml", "database = \"sqlite:other.db\"\n");
    run(&["org", "list", "--config", "other.toml"], None);
    assert!(used("other.db") && !used("file.db"));
}

#[test]
fn a_configuration_error_names_the_line() {
    let sandbox = Sandbox::sqlite();
    sandbox.write("mainstay.toml", "listen = \"127.0.0.1:1\"\ndatabse = \"sqlite:x.db\"\n");
    sandbox
        .run(["org", "list"])
        .expect_failure("mainstay.toml, line 2: unknown key `databse`; did you mean `database`?");
    sandbox
        .run(["org", "list", "--config", "nowhere.toml"])
        .expect_failure("nowhere.toml: the file does not exist");
}

#[test]
fn a_new_organization_prints_its_keys_as_json() {
    let sandbox = Sandbox::sqlite();
    let created = sandbox.run_ok("org create acme --json").json();
    let keys: Vec<&String> = created.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "secret_key", "setup_link", "slug", "token_secret", "write_key"]);
    assert_eq!(created["slug"], "acme");
    assert!(created["secret_key"].as_str().unwrap().starts_with("msk_"));
    assert!(created["write_key"].as_str().unwrap().starts_with("mwk_"));
    let link = created["setup_link"].as_str().unwrap();
    assert!(link.starts_with("/sign-in/link/"), "{link}");
    let listed = sandbox.run_ok("org list --json").json();
    assert_eq!(listed[0]["id"], created["id"]);
    assert_eq!(listed[0]["time_zone"], "UTC");
    assert_eq!(listed[0]["sample"], false);
    sandbox.run(["org", "create", "acme"]).expect_failure("already taken");
    sandbox.run(["org", "create", "Acme Studio"]).expect_failure("lower-case letters");
    let zone = ["org", "create", "beta", "--timezone", "Europe/Belrin"];
    sandbox.run(zone).expect_failure("did you mean Europe/Berlin");
}

#[test]
fn a_link_is_printed_with_the_address_that_is_known_and_else_as_a_path() {
    let sandbox = Sandbox::sqlite();
    sandbox.run_ok("org create first");
    sandbox.run_ok("member add --org first --email ada@example.com --role staff");
    let mut count = 0;
    // Each command that prints a link, with the field that it stands in.
    let mut commands = || {
        count += 1;
        let member = format!("member add --org first --role staff --email a{count}@example.com");
        [
            (format!("org create org{count}"), "setup_link"),
            (member, "invitation_link"),
            ("member reset --org first --email ada@example.com".to_owned(), "link"),
        ]
    };
    // What they print, as text and as JSON.
    let mut links = |options: &str| {
        let mut links = Vec::new();
        for (command, _) in commands() {
            let said = sandbox.run_ok(&format!("{command} {options}")).out;
            let is_link = |word: &&str| word.contains("/sign-in/link/");
            links.push((said.split_whitespace().find(is_link).unwrap().to_owned(), said));
        }
        for (command, field) in commands() {
            let said = sandbox.run_ok(&format!("{command} {options} --json")).json();
            let link = said[field].as_str().unwrap().to_owned();
            links.push((link.clone(), link));
        }
        links
    };
    for (link, said) in links("").into_iter().chain(links("--listen 127.0.0.1:0")) {
        assert!(link.starts_with("/sign-in/link/") && !said.contains("http://"), "{said}");
        if said != link {
            assert!(said.contains("the address that `mainstay serve` prints"), "{said}");
            assert!(said.contains("--public-url"), "{said}");
        }
    }
    for (options, address) in [
        ("--listen 127.0.0.1:9090", "http://127.0.0.1:9090"),
        ("--listen 0.0.0.0:81", "http://127.0.0.1:81"),
        ("--public-url https://success.example.com", "https://success.example.com"),
    ] {
        for (link, said) in links(options) {
            assert!(link.starts_with(&format!("{address}/sign-in/link/")), "{said}");
            assert!(!said.contains("mainstay serve` prints"), "{said}");
        }
    }
    let wrong = ["org", "create", "four", "--public-url", "https://example.com/below"];
    sandbox.run(wrong).expect_failure("public_url");
    for (file, address) in [
        ("listen = \"127.0.0.1:9\"\n", "http://127.0.0.1:9"),
        ("public_url = \"https://of-file.example\"\n", "https://of-file.example"),
    ] {
        sandbox.write("mainstay.toml", file);
        for (link, said) in links("") {
            assert!(link.starts_with(&format!("{address}/sign-in/link/")), "{said}");
        }
    }
}

#[test]
fn keys_are_made_listed_and_revoked() {
    let sandbox = Sandbox::sqlite();
    sandbox.run_ok("org create acme");
    sandbox.run(["key", "create", "--org", "acme", "--kind", "member"]).expect_failure("member: ");
    let unknown = "key create --org acme --kind member --member ada@example.com";
    sandbox.run(unknown.split(' ')).expect_failure("mainstay member add");
    sandbox.run_ok("member add --org acme --email Ada@Example.com --role staff");
    let created = sandbox.run_ok(&format!("{unknown} --json")).json();
    let key = created["key"].as_str().unwrap();
    assert!(key.starts_with("mmt_"));

    let told = sandbox.run_ok("key create --org acme --kind write").out;
    assert!(told.starts_with("mwk_") && told.contains("it is shown only once"), "{told}");
    let listed = sandbox.run_ok("key list --org acme --json").json();
    assert_eq!(listed.as_array().unwrap().len(), 4);
    let of_member = |row: &&serde_json::Value| row["member"] == "ada@example.com";
    let row = listed.as_array().unwrap().iter().find(of_member).unwrap();
    assert_eq!(row["id"], created["id"]);
    assert_eq!(row["prefix"].as_str().unwrap(), &key[..8]);
    assert!(!sandbox.run_ok("key list --org acme").out.contains(key));

    let id = created["id"].as_str().unwrap();
    sandbox.run_ok(&format!("key revoke {id} --org acme"));
    let again = ["key", "revoke", id, "--org", "acme"];
    sandbox.run(again).expect_failure("mainstay key list --org acme");
}

#[test]
fn members_are_added_listed_let_in_and_removed() {
    let sandbox = Sandbox::sqlite();
    sandbox.run_ok("org create acme");
    assert!(sandbox.run_ok("member list --org acme").out.contains("has no members yet"));
    let added = sandbox.run_ok("member add --org acme --email Ada@example.com --role owner --json");
    assert_eq!(added.json()["role"], "owner");
    sandbox.run_ok("member add --org acme --email bob@example.com --role staff --name Bob");
    let listed = sandbox.run_ok("member list --org acme --json").json();
    assert_eq!(listed[0]["email"], "ada@example.com");
    assert_eq!(listed[1]["name"], "Bob");
    let remove = |email| sandbox.run(["member", "remove", "--org", "acme", "--email", email]);
    remove("ada@example.com").expect_failure("only owner");
    remove("eve@example.com").expect_failure("mainstay member list --org acme");
    let reset = sandbox.run_ok("member reset --org acme --email BOB@example.com --json").json();
    assert_eq!(reset["email"], "bob@example.com");
    assert!(reset["link"].as_str().unwrap().contains("/sign-in/link/"), "{reset}");
    assert!(
        sandbox
            .run_ok("member reset --org acme --email bob@example.com")
            .out
            .contains("works once")
    );
    let reset = |email| sandbox.run(["member", "reset", "--org", "acme", "--email", email]);
    reset("eve@example.com").expect_failure("mainstay member list --org acme");
    assert_eq!(remove(" BOB@example.com").code, 0);
    assert_eq!(sandbox.run_ok("member list --org acme --json").json().as_array().unwrap().len(), 1);
}
