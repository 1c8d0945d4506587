//! The one binary.

fn main() -> std::process::ExitCode {
    tallybook_api::cli::main()
}
