//! The one binary.

/// Commands and events are made on one thread and dropped on another, thousands a second.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    tallybook_api::cli::main()
}
