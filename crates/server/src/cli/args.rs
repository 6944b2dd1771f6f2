//! The arguments, and every word of `--help`.

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
Self-hosted client success automation: send Mainstay what your clients do, and it scores how well
each of them is doing, explains the score, writes their weekly insights and tells you whom to call
before they leave.";

const EXAMPLES: &str = "\
Examples:
  mainstay demo                                 look around in sample data
  mainstay org create acme --timezone Europe/Berlin
  mainstay import events.csv.gz --org acme      bring your history along
  mainstay score --org acme                     how well is each client doing?
  mainstay serve                                take events in over HTTP

Settings come from options, else the environment (MAINSTAY_DATABASE_URL, MAINSTAY_LISTEN), else
mainstay.toml (keys `database` and `listen`), else what is built in. RUST_LOG sets what is logged.";

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
duration_seconds; any other column goes into the event's data. They are separated by commas, semicolons
or tabs, as Excel saves them. NDJSON: Segment's track, page,
identify and group messages, one a line. Importing a file twice adds nothing.

Refused rows are written to FILE.rejects.csv with their line and the reason.
Exit status: 0, 2 when rows were refused, 1 when the import failed.";

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

`mainstay serve` does what is due by itself, in each organization's time zone.";

const SECRETS_EXAMPLES: &str = "\
Examples:
  mainstay secrets status
  mainstay secrets rotate
  mainstay secrets new-key >> mainstay.key

Secrets in the database that must be readable again (what signs clients' tokens and webhooks, addresses
of webhooks) are encrypted with AES-256-GCM. The keys come from MAINSTAY_KEY, else the file that
MAINSTAY_KEY_FILE or `key_file` names, else a file beside the database that the first start makes. With
keys in the environment or on several machines, put the new one first everywhere, restart, and then run
rotate --existing. MAINSTAY_SECRETS_AT_REST=plain stores secrets as they are.";

const DB_EXAMPLES: &str = "\
Examples:
  mainstay db status
  mainstay db rollback --to 1

Every other command brings a new or older database to this version by itself.";

#[derive(Debug, Parser)]
#[command(name = "mainstay", version, about = ABOUT, after_help = EXAMPLES)]
pub(super) struct Args {
    /// Address for demo and serve [default: 127.0.0.1:8080]
    // Before those of every command: a heading goes on over what follows it.
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) listen: Option<String>,

    #[command(flatten)]
    pub(super) everywhere: Everywhere,

    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options of every command, before or after its name.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of every command")]
pub(super) struct Everywhere {
    // Not a doc comment: rustdoc takes it for a link.
    #[arg(
        long,
        value_name = "URL",
        global = true,
        help = "sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME [default: sqlite:mainstay.db]"
    )]
    pub(super) database: Option<String>,

    /// Configuration file [default: mainstay.toml, if there is one]
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve a sample organization with everything computed
    Demo(Served),
    /// Serve the HTTP API
    Serve(Served),
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
    /// Write each client's insights of the last seven days; prints the new ones
    #[command(after_help = INSIGHTS_EXAMPLES)]
    Insights(Figures),
    /// Check every client and open, worsen or resolve alerts; prints what changed
    #[command(after_help = HEALTH_EXAMPLES)]
    Health(Figures),
    /// What runs by itself: when, what it did, and have it run now
    #[command(subcommand, after_help = JOB_EXAMPLES)]
    Job(JobCommand),
    /// Recompute everything stored from the events; exit status 1 when anything differs
    Verify(Verify),
    /// The keys that secrets in the database are encrypted with
    #[command(subcommand, after_help = SECRETS_EXAMPLES)]
    Secrets(SecretsCommand),
    /// Look at and change the database's schema
    #[command(subcommand, after_help = DB_EXAMPLES)]
    Db(DbCommand),
}

impl Command {
    /// Where a command that prints a link is told that the server is reached.
    pub(super) const fn reached(&self) -> Option<&Reached> {
        match self {
            Self::Org(OrgCommand::Create { reached, .. })
            | Self::Member(MemberCommand::Add { reached, .. }) => Some(reached),
            _ => None,
        }
    }

    /// The options of a command that serves.
    pub(super) const fn served(&self) -> Option<&Served> {
        match self {
            Self::Demo(served) | Self::Serve(served) => Some(served),
            _ => None,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Served {
    /// Address to serve on; port 0 takes any free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) listen: Option<String>,

    /// How logs are written to standard error: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    pub(super) log_format: LogFormat,
}

/// Where the server is or will be reached, for links that are printed.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Reached {
    /// Address that the server listens on, for the link
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
    /// Create an organization with its first keys, which are shown this once
    Create {
        /// Short name in commands and tokens: lower-case letters, digits, hyphens
        slug: String,
        /// What people call it [default: the slug]
        #[arg(long)]
        name: Option<String>,
        /// IANA time zone that decides what a day is [default: UTC]
        #[arg(long, value_name = "ZONE", alias = "time-zone")]
        timezone: Option<String>,
        #[command(flatten)]
        json: Json,
        #[command(flatten)]
        reached: Reached,
    },
    /// Change what an organization counts
    Set {
        /// Short name
        slug: String,
        /// Whether high-value types count that a browser or a client's own token sends
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
    /// Create a key, which is shown this once
    Create {
        #[command(flatten)]
        org: Org,
        /// secret (everything of the organization), write (sends events) or member (acts as one)
        #[arg(long, value_parser = kinds(), hide_possible_values = true)]
        kind: KeyKind,
        /// Whose key it is, for a member's
        #[arg(long, value_name = "EMAIL")]
        member: Option<String>,
        /// Where a write key is used: server, or browser for pages and apps [default: server]
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
    /// Make a key open nothing any more, at once
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
        /// The member's e-mail address
        #[arg(long)]
        email: String,
        /// owner (everything), admin (everything but owners), staff (no settings, keys or members) or
        /// viewer (sees what staff see, changes nothing)
        #[arg(long, value_parser = roles(), hide_possible_values = true)]
        role: Role,
        /// What people call the member [default: the address]
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        json: Json,
        #[command(flatten)]
        reached: Reached,
    },
    /// List members
    List {
        #[command(flatten)]
        org: Org,
        #[command(flatten)]
        json: Json,
    },
    /// Print a link by which a member chooses a new password; it works once, for 24 hours
    Reset {
        #[command(flatten)]
        org: Org,
        /// The member's e-mail address
        #[arg(long)]
        email: String,
        #[command(flatten)]
        json: Json,
    },
    /// Remove a member and its keys
    Remove {
        #[command(flatten)]
        org: Org,
        /// The member's e-mail address
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
    /// csv or ndjson [default: by the file's name, else by its content]
    #[arg(long)]
    pub(super) format: Option<Format>,
    /// The CSV column that holds a field, where the names differ; can be repeated
    #[arg(long, value_name = "FIELD=COLUMN")]
    pub(super) column: Vec<ColumnMapping>,
    /// What an event of the file counts as; can be repeated
    #[arg(long, value_name = "NAME=TYPE")]
    pub(super) event_type: Vec<EventTypeMapping>,
    /// How a CSV file is encoded, unless UTF-8 or marked as UTF-16; windows-1252 for Excel's
    #[arg(long, value_name = "NAME")]
    pub(super) encoding: Option<FileEncoding>,
    /// IANA zone of times in a CSV file without an offset [default: the organization's]
    #[arg(long, value_name = "ZONE", alias = "time-zone")]
    pub(super) timezone: Option<String>,
    /// How a CSV file writes times, where not as 2026-11-28 09:30: "%d.%m.%Y %H:%M"
    #[arg(long, value_name = "FORMAT")]
    pub(super) date_format: Option<DateFormat>,
    /// Read and check everything, store nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) json: Json,
}

/// How figures are printed. No words on each: clap would spread the whole help over twice the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Print {
    Table,
    Csv,
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct Figures {
    #[command(flatten)]
    pub(super) org: Org,
    /// Only this client, by the id that your app gave it
    #[arg(long, value_name = "ID")]
    pub(super) client: Option<String>,
    /// The instant that figures are for; later events count for nothing [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    pub(super) as_of: Option<Timestamp>,
    /// How to print: for people, spreadsheets or programs
    #[arg(long, default_value = "table")]
    pub(super) format: Print,
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
    /// List jobs: when each runs next, and how its latest run went
    List {
        #[command(flatten)]
        org: Org,
        #[command(flatten)]
        json: Json,
    },
    /// Run a job now, besides its schedule
    Run {
        /// weekly, daily or hourly
        job: Job,
        #[command(flatten)]
        org: Org,
        #[command(flatten)]
        json: Json,
    },
    /// List the latest runs with what they counted
    History {
        #[command(flatten)]
        org: Org,
        /// Only this job's
        #[arg(long, value_name = "JOB")]
        job: Option<Job>,
        /// How many at most
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum SecretsCommand {
    /// Show which keys are used
    Status {
        #[command(flatten)]
        json: Json,
    },
    /// Encrypt all secrets with a new key, which is put first in the key file
    Rotate {
        /// Make no new key: use the first one there is
        #[arg(long)]
        existing: bool,
    },
    /// Print a new key
    NewKey,
}

#[derive(Debug, Subcommand)]
pub(super) enum DbCommand {
    /// Bring the schema to this version's
    Migrate,
    /// Undo the newest migration, or all above one, with the data they hold
    Rollback {
        /// The migration to stop at; 0 undoes all
        #[arg(long, value_name = "N")]
        to: Option<i64>,
        /// Do not ask
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
            assert_eq!(args.everywhere.database.as_deref(), Some("sqlite:x"));
            let served = args.command.served().and_then(|served| served.listen.clone());
            assert_eq!(served.or(args.listen).as_deref(), Some("h:1"));
        }
    }
}
