//! Why a configuration is refused. No message ever carries a value, because any value may be a secret.

use std::path::PathBuf;

/// A configuration that Garrison does not start with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The named file is absent or cannot be read.
    #[error("cannot read the configuration file {}: {cause}", path.display())]
    Read {
        /// The file as it was named.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file is larger than 256 KiB.
    #[error("the configuration file is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The file is not YAML, or is beyond what a configuration needs.
    #[error("the configuration file is not usable at line {line}, column {column}: {problem}")]
    Syntax {
        /// Line, from 1; 0 when unknown.
        line: u64,
        /// Column, from 1; 0 when unknown.
        column: u64,
        /// What is wrong, without anything out of the file.
        problem: String,
    },
    /// A key nobody reads.
    #[error("unknown key `{key}` at line {line} of the configuration file")]
    UnknownKey {
        /// Path of the key.
        key: String,
        /// Line, from 1.
        line: u64,
    },
    /// A `GARRISON_*` variable nobody reads.
    #[error("unknown environment variable {name}: no setting has it")]
    UnknownVariable {
        /// Name of the variable.
        name: String,
    },
    /// A value of the wrong form.
    #[error("`{key}` ({origin}) must be {expected}")]
    Invalid {
        /// Path of the setting.
        key: String,
        /// Where the value came from: a line of the file or a variable.
        origin: String,
        /// The form it should have.
        expected: String,
    },
    /// A setting that another one needs.
    #[error("`{key}` is missing: `{needed_by}` needs it")]
    Missing {
        /// Path of the setting that is not there.
        key: &'static str,
        /// Path of the one that is.
        needed_by: &'static str,
    },
    /// `${VARIABLE}` in the file, but the variable is not set and has no default.
    #[error(
        "`{key}` at line {line} uses ${{{variable}}}, which is not set; set it or write ${{{variable}:-default}}"
    )]
    Unset {
        /// Name of the variable.
        variable: String,
        /// Path of the setting.
        key: String,
        /// Line, from 1.
        line: u64,
    },
    /// Two sources of equal rank speak about the same setting.
    #[error("{first} and {second} both set the same thing; keep one")]
    Conflict {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// The file named by a `<VARIABLE>_FILE` cannot be used.
    #[error("cannot use the file {} named by {variable}: {problem}", path.display())]
    SecretFile {
        /// Name of the variable.
        variable: String,
        /// The file as it was named.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}
