//! The command-line program as a person or a script meets it: the built binary, its exit codes, its words, its files.

#[cfg(feature = "simulator")]
mod batch_reruns;
mod batches;
mod choice;
mod customs;
mod doctor;
mod errors;
mod messages;
mod outputs;
mod payment;
mod pin;
mod program;
mod readers;
mod recognised;
mod remarks;
mod signing;
#[cfg(feature = "simulator")]
mod simulator;
#[cfg(feature = "simulator")]
mod simulator_pins;
mod teaching;
mod terminal;
mod verdicts;
