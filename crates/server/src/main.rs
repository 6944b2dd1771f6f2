//! The `mainstay` command. Everything is in the library, so that tests and other programs can call
//! it.

use std::process::ExitCode;

fn main() -> ExitCode {
    mainstay::cli::run(std::env::args_os())
}
