//! Attacks on the running program, each of which once succeeded. `cargo test --test gateway abuse -- --nocapture`
//! prints the present cost of each. The names of the tests begin with the number of the attack.

mod agency;
mod answers;
mod attack;
mod authority;
mod budgets;
mod callers;
mod cases;
mod clock;
mod effects;
mod exhaustion;
mod files;
mod full;
mod highlevel;
mod identity;
mod limits;
mod once;
mod operator;
mod program;
mod rules;
mod secrecy;
mod setup;
mod telemetry;
mod tokens;
