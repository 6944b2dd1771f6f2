//! The command line: what `mainstay …` does, on the same services as the HTTP server.
//!
//! [`run`] parses the arguments (`args`), settles the settings ([`crate::config`]), opens the
//! database (`open`) and hands over to the module of the command. What a command answers goes to
//! standard output through `output`; errors, notes, logs and progress bars go to standard error.

mod args;
mod db;
mod demo;
mod error;
mod figures;
mod health;
mod import;
mod insights;
mod job;
mod key;
mod log;
mod member;
mod open;
mod org;
mod output;
mod progress;
mod score;
mod secrets;
mod serve;
mod table;
mod verify;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser as _;
use mainstay_store::Organization;

use self::{
    args::{Args, Command, SecretsCommand},
    error::CliError,
    output::Output,
};
use crate::{
    Mainstay,
    config::{SettingOverrides, Settings},
};

/// Exit status when there are differences or errors.
const FAILED: u8 = 1;
/// Exit status of an import that refused rows.
const REFUSED: u8 = 2;

/// What every command answers.
type Result<T> = std::result::Result<T, CliError>;

/// Runs the command that the arguments (the program's name first) ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(usage) => {
            // Help and version are "errors" too, with exit status 0. When nobody reads them any
            // more there is nobody to tell.
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(FAILED));
        }
    };
    let mut out = Output::stdout();
    let result = execute(args, &mut out).and_then(|code| Ok(out.finish().map(|()| code)?));
    result.unwrap_or_else(|error| {
        output::print_note(&format!("error: {}", error.one_line()));
        ExitCode::from(FAILED)
    })
}

fn execute(args: Args, out: &mut Output) -> Result<ExitCode> {
    let serve_args = args.command.serve_args();
    log::start(serve_args.map(|serve_args| serve_args.log_format))?;
    let address = args.command.address();
    let listen = serve_args.and_then(|serve_args| serve_args.listen.clone());
    let listen = listen.or_else(|| address.and_then(|address| address.listen.clone()));
    let overrides = SettingOverrides {
        database: args.global.database,
        listen: listen.or(args.listen),
        public_url: address.and_then(|address| address.public_url.clone()),
        config: args.global.config,
    };
    let settings = Settings::resolve(overrides, |name| std::env::var_os(name))?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?
        .block_on(dispatch(args.command, &settings, out))
}

async fn dispatch(command: Command, settings: &Settings, out: &mut Output) -> Result<ExitCode> {
    if let Command::Db(command) = command {
        return db::run(&command, settings, out).await;
    }
    if let Command::Secrets(SecretsCommand::NewKey) = command {
        return secrets::new_key(out);
    }
    // These listen before they open anything, so that whoever watches over them knows that they live.
    match command {
        Command::Demo(_) => return Box::pin(demo::run(settings, out)).await,
        Command::Serve(_) => return Box::pin(serve::run(settings, out)).await,
        _ => {}
    }
    let mainstay = open::open(settings).await?;
    let result = match command {
        Command::Org(command) => org::run(&mainstay, settings, command, out).await,
        Command::Key(command) => key::run(&mainstay, command, out).await,
        Command::Member(command) => member::run(&mainstay, settings, command, out).await,
        Command::Import(args) => import::run(&mainstay, args, out).await,
        Command::Score(args) => score::run(&mainstay, &args, out).await,
        Command::Insights(args) => insights::run(&mainstay, &args, out).await,
        Command::Health(args) => health::run(&mainstay, &args, out).await,
        Command::Job(command) => job::run(&mainstay, settings, command, out).await,
        Command::Secrets(command) => secrets::run(&mainstay, settings, &command, out).await,
        Command::Verify(args) => verify::run(&mainstay, &args, out).await,
        Command::Db(_) | Command::Demo(_) | Command::Serve(_) => Ok(ExitCode::SUCCESS),
    };
    // So that SQLite folds its log into the file, also when the command failed.
    open::close(&mainstay).await;
    result
}

/// The organization that `--org` names.
async fn organization(mainstay: &Mainstay, slug: &str) -> Result<Organization> {
    Ok(mainstay.organization_by_slug(slug).await?)
}
