//! The database: our own private cluster, and other people's over TLS and with several hosts.
mod embedded;
mod embedded_faults;
mod embedded_pair;
mod home;
mod partitions;
mod replica;
mod tls;
