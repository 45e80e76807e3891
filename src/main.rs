//! The program: parses the command line and runs one subcommand.

use std::process::ExitCode;

fn main() -> ExitCode {
    garrison::cmd::main()
}
