//! The `mainstay` command. Everything is in the library, so that tests and other programs can call
//! it.

use std::process::ExitCode;

// Taking events in over HTTP is an eighth faster than with the allocator of the C library.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    mainstay::cli::run(std::env::args_os())
}
