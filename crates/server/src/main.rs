//! The `mainstay` command. Everything is in the library, so that tests and other programs can call
//! it.

use std::process::ExitCode;

// By profile, taking events in over HTTP spends about an eighth of its time in the C library's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    mainstay::cli::run(std::env::args_os())
}
