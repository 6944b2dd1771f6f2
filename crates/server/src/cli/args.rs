//! The arguments and the text of `--help`.

use std::path::PathBuf;

use clap::{
    Parser, Subcommand, ValueEnum, builder::PossibleValuesParser, builder::TypedValueParser,
};
use jiff::Timestamp;
use mainstay_core::{engagement::parse_timestamp, id::ApiKeyId, job::Job};
use mainstay_store::{KeyKind, KeySource, Role};

use super::log::LogFormat;
use crate::engagement::import::{
    ColumnMapping, DateFormat, EventTypeMapping, FileEncoding, Format,
};

// Broken by hand, like all that follows: clap breaks lines only with a crate more.
const ABOUT: &str = "\
Self-hosted client success automation: send Mainstay your clients' events, and it scores how well
each of them is doing, explains the score, writes weekly insights and alerts you to clients who
might leave.";

const EXAMPLES: &str = "\
Examples:
  mainstay demo                                 look around in sample data
  mainstay org create acme --timezone Europe/Berlin
  mainstay import events.csv.gz --org acme      import your history
  mainstay score --org acme                     how well is each client doing?
  mainstay serve                                accept events over HTTP

Settings come from options, the environment (MAINSTAY_DATABASE_URL, MAINSTAY_LISTEN),
mainstay.toml (keys `database` and `listen`) or the defaults, in that order. RUST_LOG sets the log filter.";

const ORG_EXAMPLES: &str = "\
Examples:
  mainstay org create acme --name 'Acme Studio' --timezone Europe/Berlin
  mainstay org list --json";

const KEY_EXAMPLES: &str = "\
Examples:
  mainstay key create --org acme --kind write
  mainstay key create --org acme --kind member --member ada@example.com
  mainstay key list --org acme
  mainstay key revoke 0197… --org acme";

const MEMBER_EXAMPLES: &str = "\
Examples:
  mainstay member add --org acme --email ada@example.com --role owner
  mainstay member list --org acme
  mainstay member remove --org acme --email ada@example.com";

const IMPORT_EXAMPLES: &str = "\
Examples:
  mainstay import events.csv --org acme --dry-run
  mainstay import export.csv.gz --org acme --column client_id=user --column timestamp=at
  mainstay import excel.csv --org acme --encoding windows-1252 --date-format '%d.%m.%Y %H:%M'
  mainstay import segment.ndjson --org acme --event-type 'Report Exported=export_downloaded'

CSV columns: client_id, event, timestamp (required), message_id, session_id, page_path,
duration_seconds; any other column goes into the event's data. Separators are commas, semicolons or
tabs, as saved by Excel. NDJSON: Segment's track, page,
identify and group messages, one per line. Importing a file twice adds nothing.

Rejected rows are written to FILE.rejects.csv with their line and the reason.
Exit status: 0, 2 if rows were rejected, 1 if the import failed.";

const SCORE_EXAMPLES: &str = "\
Examples:
  mainstay score --org acme
  mainstay score --org acme --client client-7 --format json
  mainstay score --org acme --as-of 2026-05-01T00:00:00+02:00 --dry-run --format csv > scores.csv";

const INSIGHTS_EXAMPLES: &str = "\
Examples:
  mainstay insights --org acme
  mainstay insights --org acme --client client-7 --dry-run --format json";

const HEALTH_EXAMPLES: &str = "\
Examples:
  mainstay health --org acme
  mainstay health --org acme --dry-run --format json";

const JOB_EXAMPLES: &str = "\
Examples:
  mainstay job list --org acme
  mainstay job run weekly --org acme
  mainstay job history --org acme --job daily

`mainstay serve` runs due jobs on its own, in each organization's time zone.";

const SECRETS_EXAMPLES: &str = "\
Examples:
  mainstay secrets status
  mainstay secrets rotate
  mainstay secrets new-key >> mainstay.key

Recoverable secrets in the database (signing secrets of clients' tokens and webhooks, URLs of
webhooks) are encrypted with AES-256-GCM. The keys come from MAINSTAY_KEY, or the file named by
MAINSTAY_KEY_FILE or `key_file`, or a file next to the database that the first start creates. With
keys in the environment or on several machines, put the new one first everywhere, restart, and then run
rotate --existing. MAINSTAY_SECRETS_AT_REST=plain stores secrets in plain text.";

const DB_EXAMPLES: &str = "\
Examples:
  mainstay db status
  mainstay db rollback --to 1

Every other command migrates a new or older database to this version automatically.";

#[derive(Debug, Parser)]
#[command(name = "mainstay", version, about = ABOUT, after_help = EXAMPLES)]
pub(super) struct Args {
    /// Address for demo and serve [default: 127.0.0.1:8080]
    // Before those of every command: a heading continues over what follows it.
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) listen: Option<String>,

    #[command(flatten)]
    pub(super) global: GlobalArgs,

    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options of all commands, before or after the command's name.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct GlobalArgs {
    // Not a doc comment: rustdoc takes it for a link.
    #[arg(
        long,
        value_name = "URL",
        global = true,
        help = "sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME [default: sqlite:mainstay.db]"
    )]
    pub(super) database: Option<String>,

    /// Configuration file [default: mainstay.toml, if it exists]
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve a sample organization with computed data
    Demo(ServeArgs),
    /// Serve the HTTP API
    Serve(ServeArgs),
    /// Create and list organizations
    #[command(subcommand, after_help = ORG_EXAMPLES)]
    Org(OrgCommand),
    /// Create, list and revoke keys
    #[command(subcommand, after_help = KEY_EXAMPLES)]
    Key(KeyCommand),
    /// Add, list and remove members
    #[command(subcommand, after_help = MEMBER_EXAMPLES)]
    Member(MemberCommand),
    /// Import past events from a CSV or NDJSON file, plain or gzipped
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(Import),
    /// Compute and store each client's success score
    #[command(after_help = SCORE_EXAMPLES)]
    Score(Figures),
    /// Generate each client's insights of the last seven days and print new ones
    #[command(after_help = INSIGHTS_EXAMPLES)]
    Insights(Figures),
    /// Check every client, open, worsen or resolve alerts, and print the changes
    #[command(after_help = HEALTH_EXAMPLES)]
    Health(Figures),
    /// List and run scheduled jobs
    #[command(subcommand, after_help = JOB_EXAMPLES)]
    Job(JobCommand),
    /// Recompute all stored data from the events; exit status 1 if anything differs
    Verify(Verify),
    /// Manage the keys that encrypt secrets in the database
    #[command(subcommand, after_help = SECRETS_EXAMPLES)]
    Secrets(SecretsCommand),
    /// Show and change the database's schema
    #[command(subcommand, after_help = DB_EXAMPLES)]
    Db(DbCommand),
}

impl Command {
    /// The server's address, for a command that prints a link.
    pub(super) const fn address(&self) -> Option<&AddressArgs> {
        match self {
            Self::Org(OrgCommand::Create { address, .. })
            | Self::Member(
                MemberCommand::Add { address, .. } | MemberCommand::Reset { address, .. },
            ) => Some(address),
            _ => None,
        }
    }

    /// The options of a command that serves.
    pub(super) const fn serve_args(&self) -> Option<&ServeArgs> {
        match self {
            Self::Demo(serve_args) | Self::Serve(serve_args) => Some(serve_args),
            _ => None,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// Address to serve on; port 0 takes any free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) listen: Option<String>,

    /// Format of logs on standard error: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    pub(super) log_format: LogFormat,
}

/// The server's address, for printed links.
#[derive(Debug, Default, clap::Args)]
pub(super) struct AddressArgs {
    /// Address that the server listens on, for links
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) listen: Option<String>,

    // Not a doc comment: rustdoc takes it for a link.
    #[arg(
        long,
        value_name = "URL",
        help = "Address that people use, for the link, such as https://success.example.com"
    )]
    pub(super) public_url: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Org {
    /// The organization, by its slug (mainstay org list)
    #[arg(long, value_name = "SLUG")]
    pub(super) org: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct Json {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum OrgCommand {
    /// Create an organization with its first keys, which are shown only once
    Create {
        /// Short name in commands and tokens: lower-case letters, digits, hyphens
        slug: String,
        /// Display name [default: the slug]
        #[arg(long)]
        name: Option<String>,
        /// IANA time zone that defines calendar days [default: UTC]
        #[arg(long, value_name = "ZONE", alias = "time-zone")]
        timezone: Option<String>,
        #[command(flatten)]
        json: Json,
        #[command(flatten)]
        address: AddressArgs,
    },
    /// Change an organization's settings
    Set {
        /// Short name
        slug: String,
        /// Whether high-value events from browsers or clients' own tokens count
        #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set)]
        count_self_told: bool,
    },
    /// List organizations
    List {
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Create a key, which is shown only once
    Create {
        #[command(flatten)]
        org: Org,
        /// secret (full access), write (can only send events) or member (acts as a member)
        #[arg(long, value_parser = kinds(), hide_possible_values = true)]
        kind: KeyKind,
        /// The member, for a member's key
        #[arg(long, value_name = "EMAIL")]
        member: Option<String>,
        /// The source of a write key: server, or browser for pages and apps [default: server]
        #[arg(long, value_name = "SOURCE")]
        source: Option<KeySource>,
        #[command(flatten)]
        json: Json,
    },
    /// List keys by their first characters
    List {
        #[command(flatten)]
        org: Org,
        #[command(flatten)]
        json: Json,
    },
    /// Revoke a key, effective immediately
    Revoke {
        /// The key's id (mainstay key list)
        id: ApiKeyId,
        #[command(flatten)]
        org: Org,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum MemberCommand {
    /// Add a member
    Add {
        #[command(flatten)]
        org: Org,
        /// The member's email address
        #[arg(long)]
        email: String,
        /// owner (full access), admin (all but owners), staff (no settings, keys or members) or
        /// viewer (read-only)
        #[arg(long, value_parser = roles(), hide_possible_values = true)]
        role: Role,
        /// The member's display name [default: the address]
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        json: Json,
        #[command(flatten)]
        address: AddressArgs,
    },
    /// List members
    List {
        #[command(flatten)]
        org: Org,
        #[command(flatten)]
        json: Json,
    },
    /// Print a password reset link for a member; it works once, for 24 hours
    Reset {
        #[command(flatten)]
        org: Org,
        /// The member's email address
        #[arg(long)]
        email: String,
        #[command(flatten)]
        json: Json,
        #[command(flatten)]
        address: AddressArgs,
    },
    /// Remove a member and its keys
    Remove {
        #[command(flatten)]
        org: Org,
        /// The member's email address
        #[arg(long)]
        email: String,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The file to import
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) org: Org,
    /// csv or ndjson [default: detected from the file's name or content]
    #[arg(long)]
    pub(super) format: Option<Format>,
    /// Map a field to a CSV column; can be repeated
    #[arg(long, value_name = "FIELD=COLUMN")]
    pub(super) column: Vec<ColumnMapping>,
    /// Map an event name to an event type; can be repeated
    #[arg(long, value_name = "NAME=TYPE")]
    pub(super) event_type: Vec<EventTypeMapping>,
    /// Encoding of a CSV file, unless UTF-8 or UTF-16 with a BOM; windows-1252 for Excel
    #[arg(long, value_name = "NAME")]
    pub(super) encoding: Option<FileEncoding>,
    /// IANA time zone of times without an offset in a CSV file [default: the organization's]
    #[arg(long, value_name = "ZONE", alias = "time-zone")]
    pub(super) timezone: Option<String>,
    /// Format of times in a CSV file, unless like 2026-11-28 09:30: "%d.%m.%Y %H:%M"
    #[arg(long, value_name = "FORMAT")]
    pub(super) date_format: Option<DateFormat>,
    /// Validate everything, store nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) json: Json,
}

/// Output formats. Without a description of each, which would double the length of the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputFormat {
    Table,
    Csv,
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct Figures {
    #[command(flatten)]
    pub(super) org: Org,
    /// Only this client, by its id in your app
    #[arg(long, value_name = "ID")]
    pub(super) client: Option<String>,
    /// Compute as of this instant; later events do not count [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    pub(super) as_of: Option<Timestamp>,
    /// Output format: for people, spreadsheets or programs
    #[arg(long, default_value = "table")]
    pub(super) format: OutputFormat,
    /// Compute and print, store nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// Only this organization, by its slug
    #[arg(long, value_name = "SLUG")]
    pub(super) org: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum JobCommand {
    /// List jobs with their next and latest run
    List {
        #[command(flatten)]
        org: Org,
        #[command(flatten)]
        json: Json,
    },
    /// Run a job now, in addition to its schedule
    Run {
        /// weekly, daily or hourly
        job: Job,
        #[command(flatten)]
        org: Org,
        #[command(flatten)]
        json: Json,
    },
    /// List the latest runs with their counts
    History {
        #[command(flatten)]
        org: Org,
        /// Only runs of this job
        #[arg(long, value_name = "JOB")]
        job: Option<Job>,
        /// Maximum number of runs
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum SecretsCommand {
    /// Show the keys in use
    Status {
        #[command(flatten)]
        json: Json,
    },
    /// Encrypt all secrets with a new key, which is added to the key file as the first
    Rotate {
        /// Do not create a key: use the first existing one
        #[arg(long)]
        existing: bool,
    },
    /// Print a new key
    NewKey,
}

#[derive(Debug, Subcommand)]
pub(super) enum DbCommand {
    /// Migrate the schema to this version
    Migrate,
    /// Undo the latest migration, or all after one, with their data
    Rollback {
        /// The migration to stop at; 0 undoes all
        #[arg(long, value_name = "N")]
        to: Option<i64>,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// List migrations
    Status {
        #[command(flatten)]
        json: Json,
    },
}

fn kinds() -> impl TypedValueParser<Value = KeyKind> {
    PossibleValuesParser::new(["secret", "write", "member"]).try_map(|text| text.parse())
}

fn roles() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::as_str)).try_map(|text| text.parse())
}

fn instant(text: &str) -> Result<Timestamp, String> {
    parse_timestamp("as_of", text).map_err(|error| error.reason)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn options_stand_before_or_after_the_subcommand() {
        for line in [
            "mainstay --database sqlite:x --listen h:1 serve",
            "mainstay serve --database sqlite:x --listen h:1",
        ] {
            let args = Args::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(args.global.database.as_deref(), Some("sqlite:x"));
            let serve_args =
                args.command.serve_args().and_then(|serve_args| serve_args.listen.clone());
            assert_eq!(serve_args.or(args.listen).as_deref(), Some("h:1"));
        }
    }
}
