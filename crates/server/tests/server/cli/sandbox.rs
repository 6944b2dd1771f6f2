use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::support::drop_database;

/// A directory with a database and nothing in the environment that could change what commands do.
pub(crate) struct Sandbox {
    directory: TempDir,
    /// URL of the server's own database, when this one is on PostgreSQL, and this one's name.
    postgres: Option<(String, String)>,
}

/// What a command answered.
#[derive(Debug)]
pub(crate) struct CommandResult {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl CommandResult {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Checks that the command failed with one line that says so much.
    #[track_caller]
    pub(crate) fn expect_failure(&self, expected: &str) {
        assert_eq!(self.code, 1, "{self:?}");
        assert!(self.err.starts_with("error: "), "{self:?}");
        assert!(self.err.contains(expected), "{expected:?} is not in {self:?}");
        assert_eq!(self.err.lines().count(), 1, "{self:?}");
    }
}

impl Sandbox {
    pub(crate) fn sqlite() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), postgres: None }
    }

    /// A new database on the server that `./check` starts.
    pub(crate) fn postgres() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var("MAINSTAY_TEST_POSTGRES_URL")
            .expect("MAINSTAY_TEST_POSTGRES_URL is set: run scripts/with-postgres cargo test …");
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("mainstay_cli_{}_{number}", std::process::id());
        raw_postgres(&server, &format!("CREATE DATABASE {name}"));
        Self { directory: tempfile::tempdir().unwrap(), postgres: Some((server, name)) }
    }

    /// The command in this directory, not started yet.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mainstay"));
        command.args(args).current_dir(&self.directory);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MAINSTAY_") || name == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        if self.postgres.is_some() {
            command.env("MAINSTAY_DATABASE_URL", self.postgres_url());
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> CommandResult {
        CommandResult::of(&self.command(args).output().unwrap())
    }

    /// Runs a command to its end with variables in its environment.
    pub(crate) fn run_with<S: AsRef<OsStr>>(
        &self,
        env: &[(&str, &str)],
        args: impl IntoIterator<Item = S>,
    ) -> CommandResult {
        CommandResult::of(&self.command(args).envs(env.iter().copied()).output().unwrap())
    }

    /// Runs a command that must succeed without any database.
    #[track_caller]
    pub(crate) fn done_alone(&self, line: &str) -> CommandResult {
        let ran = self.run_with(&[("MAINSTAY_DATABASE_URL", "none")], line.split_whitespace());
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
        ran
    }

    /// Runs a command, of words without blanks, that must succeed.
    #[track_caller]
    pub(crate) fn run_ok(&self, line: &str) -> CommandResult {
        let ran = self.run(line.split_whitespace());
        assert_eq!(ran.code, 0, "{line}: {ran:?}");
        ran
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    pub(crate) fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(file), content).unwrap();
    }

    /// Changes the database past the program, as nothing in it can.
    pub(crate) fn tamper(&self, sql: &str) {
        match &self.postgres {
            Some(_) => raw_postgres(&self.postgres_url(), sql),
            None => block_on(async {
                let mut connection = SqliteConnection::connect(&self.database_url()).await.unwrap();
                let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
                assert!(connection.execute(sql).await.unwrap().rows_affected() > 0);
                connection.close().await.unwrap();
            }),
        }
    }

    /// The URL of this one's own database.
    pub(crate) fn database_url(&self) -> String {
        match &self.postgres {
            Some(_) => self.postgres_url(),
            None => format!("sqlite:{}", self.path("mainstay.db").display()),
        }
    }

    /// The URL of this one's own database on PostgreSQL.
    pub(crate) fn postgres_url(&self) -> String {
        let (server, name) = self.postgres.as_ref().expect("a sandbox on PostgreSQL");
        let (host, _) = server.rsplit_once('/').unwrap();
        format!("{host}/{name}")
    }

    /// Starts a server and waits until it says where it listens.
    pub(crate) fn serve(&self, line: &str) -> RunningServer {
        Self::serving(self.command(line.split_whitespace()))
    }

    /// Starts a server by a command and waits until it says where it listens.
    pub(crate) fn serving(mut command: Command) -> RunningServer {
        let child = command.spawn().unwrap();
        let mut served = RunningServer { url: String::new(), said: String::new(), child };
        let mut lines = BufReader::new(served.child.stdout.take().unwrap()).lines();
        loop {
            let Some(line) = lines.next() else {
                let errors = served.errors();
                panic!("the server ended before it listened: {}{errors}", served.said);
            };
            let line = line.unwrap();
            if let Some(url) = line.strip_prefix("listening on ") {
                url.clone_into(&mut served.url);
                return served;
            }
            served.said.push_str(&line);
            served.said.push('\n');
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some((server, name)) = &self.postgres {
            block_on(drop_database(server, name));
        }
    }
}

/// A server that runs until it is told to stop.
pub(crate) struct RunningServer {
    pub(crate) url: String,
    /// What it printed before it listened.
    pub(crate) said: String,
    child: Child,
}

impl RunningServer {
    /// The process's id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, signal: &str) {
        let mut kill = Command::new("kill");
        kill.arg(format!("-{signal}")).arg(self.pid().to_string());
        assert!(kill.status().unwrap().success());
    }

    /// Sends a signal by its name and answers how the server ended.
    pub(crate) fn stop(self, signal: &str) -> CommandResult {
        self.signal(signal);
        self.wait_for_exit()
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait_for_exit(mut self) -> CommandResult {
        let err = self.errors();
        let status = self.child.wait().unwrap();
        CommandResult { code: status.code().unwrap_or(-1), out: String::new(), err }
    }

    /// All that it says on standard error, until it ends.
    fn errors(&mut self) -> String {
        let mut errors = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut errors).unwrap();
        }
        errors
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        // Of a test that failed; one that was stopped has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Posts JSON with a key; returns the status.
pub(crate) fn post(url: &str, key: &str, body: &str) -> u16 {
    let (url, key, body) = (url.to_owned(), key.to_owned(), body.to_owned());
    block_on(async move {
        let request = reqwest::Client::new().post(url).bearer_auth(key);
        let request = request.header("content-type", "application/json").body(body);
        request.send().await.unwrap().status().as_u16()
    })
}

fn raw_postgres(url: &str, sql: &str) {
    block_on(async {
        let mut connection = PgConnection::connect(url).await.unwrap();
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
        connection.close().await.unwrap();
    });
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}
