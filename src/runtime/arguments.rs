//! Arguments that passed every check, by their wire names, as the generated handlers take them.

use serde_json::{Map, Value};

/// What goes into one request: path and query values by wire name, and the JSON body.
#[derive(Debug, Default)]
pub struct Arguments {
    pub path: Map<String, Value>,
    pub query: Map<String, Value>,
    pub body: Option<Value>,
}
