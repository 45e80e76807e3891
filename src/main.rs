//! The program: parses the command line and runs one subcommand.

use std::process::ExitCode;

/// A third of what a push costs this process is allocation; this allocator halves that (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    garrison::cmd::main()
}
