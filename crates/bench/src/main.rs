//! Mainstay's benchmarks. Each prints its figures beside a ceiling measured in the same run: what
//! the database alone does with the same rows. Medians and ratios, because machines are noisy.

mod ceiling;
mod figures;
mod generate;
mod import;
mod ingest;
mod portfolio;
mod score;
mod store;
mod weekly;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Result of every benchmark.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
#[command(about = "Benchmarks of Mainstay, beside ceilings from the same run")]
struct Arguments {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// Import a file into a new database, several times.
    Import {
        /// CSV or NDJSON, plain or gzip.
        file: PathBuf,
        /// Number of occurrences.
        #[arg(long, default_value_t = 5)]
        runs: usize,
    },
    /// Store events in the order of time, in transactions of a few thousand.
    Store {
        /// An empty database; a new SQLite file when absent.
        #[arg(long)]
        database: Option<String>,
        #[command(flatten)]
        shape: generate::Shape,
        /// Events in one transaction.
        #[arg(long, default_value_t = 5_000)]
        batch: usize,
    },
    /// Score every client of an organization with a long history, then with a longer one.
    Score {
        #[command(flatten)]
        shape: generate::Shape,
        /// How much longer the second history is; 1 measures only the first.
        #[arg(long, default_value_t = 10)]
        longer: u64,
        /// How often each is scored.
        #[arg(long, default_value_t = 5)]
        runs: usize,
        /// Where to put the databases, which can take many gigabytes.
        #[arg(long)]
        folder: Option<PathBuf>,
    },
    /// Send events over HTTP, and count what arrived.
    Ingest(ingest::Options),
    /// Send events while others hold connections and send nothing, and compare with an idle server.
    Stalled {
        /// How often each kind is measured.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// Kill a server that is being sent events, again and again, and look for what it acknowledged.
    Crash {
        /// An empty database; a new SQLite file when absent.
        #[arg(long)]
        database: Option<String>,
        /// Number of occurrences.
        #[arg(long, default_value_t = 50)]
        rounds: u64,
    },
    /// Ask a server for the portfolio, over HTTP as a member who signed in.
    Portfolio {
        /// Clients.
        #[arg(long, default_value_t = 100_000)]
        clients: u64,
        /// How often each page is asked for.
        #[arg(long, default_value_t = 800)]
        requests: usize,
    },
    /// Run the weekly job of an organization whose clients all asked for mails.
    Weekly {
        #[command(flatten)]
        shape: generate::Shape,
    },
    /// Run the weekly job of a database that `weekly` has filled, in a process of its own.
    #[command(hide = true)]
    WeeklyFilled {
        /// Its URL.
        database: String,
    },
    /// Serve a database, in a process of its own that can be killed.
    #[command(hide = true)]
    IngestServe {
        /// Its URL.
        database: String,
    },
    /// Score a database that `score` has filled, in a process of its own, for its memory.
    #[command(hide = true)]
    ScoreFilled {
        /// Its URL.
        database: String,
        /// Number of occurrences.
        runs: usize,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    match Arguments::parse().benchmark {
        Benchmark::Import { file, runs } => import::run(&file, runs).await,
        Benchmark::Store { database, shape, batch } => store::run(database, &shape, batch).await,
        Benchmark::Score { shape, longer, runs, folder } => {
            score::run(&shape, longer, runs, folder).await
        }
        Benchmark::Portfolio { clients, requests } => portfolio::run(clients, requests).await,
        Benchmark::Weekly { shape } => weekly::run(&shape).await,
        Benchmark::WeeklyFilled { database } => weekly::run_filled(&database).await,
        Benchmark::Ingest(options) => ingest::run(&options).await,
        Benchmark::Stalled { rounds } => ingest::stalled(rounds).await,
        Benchmark::Crash { database, rounds } => ingest::crash(database.as_deref(), rounds).await,
        Benchmark::IngestServe { database } => ingest::serve(&database).await,
        Benchmark::ScoreFilled { database, runs } => score::run_filled(&database, runs).await,
    }
}
