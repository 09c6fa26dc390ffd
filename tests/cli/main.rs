//! The command-line program as a person or a script meets it: the built binary, its exit codes, its words, its files.

mod choice;
mod errors;
mod outputs;
mod pin;
mod program;
mod signing;
mod teaching;
mod terminal;
mod verdicts;
