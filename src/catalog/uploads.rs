//! Finds the requests that may be larger than others: those of operations that take files.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::TOOLS;

/// The names of all operations that take files.
static NAMES: LazyLock<Vec<Finder<'static>>> = LazyLock::new(|| {
    let mut names = BTreeSet::new();
    for tool in TOOLS {
        if tool.arguments.iter().any(|argument| argument.file) {
            names.extend([tool.name, tool.operation_id]);
            names.extend(tool.aliases);
        }
    }
    names.into_iter().map(Finder::new).collect()
});

/// Whether a request names such an operation, whatever its surface. Checked before parsing, so that a large request
/// without such a name is never parsed.
pub(crate) fn names_one(request: &[u8]) -> bool {
    NAMES.iter().any(|name| name.find(request).is_some())
}
