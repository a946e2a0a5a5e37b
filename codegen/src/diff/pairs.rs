//! Pairs each operation of the old documents with its successor in the new ones.

use std::collections::{BTreeMap, BTreeSet};

use super::signature::OperationSignature;

/// An operation before and after.
pub(super) type OperationPair<'a> = (
    Option<&'a OperationSignature>,
    Option<&'a OperationSignature>,
);

/// The signatures of `old` and `new` in pairs, in the order of `old`; those only in `new` come last.
pub(super) fn pairs<'a>(
    old: &'a [OperationSignature],
    new: &'a [OperationSignature],
) -> Vec<OperationPair<'a>> {
    let mut became: BTreeMap<usize, usize> = BTreeMap::new();
    let mut taken: BTreeSet<usize> = BTreeSet::new();
    // The id has precedence over method and path, because tables go by it. A renamed document keeps its paths.
    let identities: [fn(&OperationSignature) -> (bool, &str, &str, &str); 3] = [
        |face| (face.is_v3(), &face.source, &face.key, &face.operation_id),
        |face| (face.is_v3(), &face.source, "", &face.operation_id),
        |face| (face.is_v3(), "", &face.key, ""),
    ];
    for identity in identities {
        let free: BTreeMap<_, usize> = new
            .iter()
            .enumerate()
            .filter(|(place, _)| !taken.contains(place))
            .map(|(place, face)| (identity(face), place))
            .collect();
        for (place, face) in old.iter().enumerate() {
            if !became.contains_key(&place)
                && let Some(found) = free.get(&identity(face))
                && taken.insert(*found)
            {
                became.insert(place, *found);
            }
        }
    }
    let mut pairs: Vec<OperationPair<'a>> = Vec::new();
    for (place, face) in old.iter().enumerate() {
        let found = became.get(&place).and_then(|found| new.get(*found));
        pairs.push((Some(face), found.or_else(|| same_tool(face, new))));
    }
    for (place, face) in new.iter().enumerate() {
        if !taken.contains(&place) {
            pairs.push((same_tool(face, old), Some(face)));
        }
    }
    pairs
}

/// The operation of `others` with the same tool name: a tool outlives its older operation if v3 has the operation too.
fn same_tool<'a>(
    face: &OperationSignature,
    others: &'a [OperationSignature],
) -> Option<&'a OperationSignature> {
    let mut others = others.iter();
    let is_same = |other: &&OperationSignature| {
        !face.is_v3_variant
            && !other.is_v3_variant
            && other.tool == face.tool
            && other.is_v3() != face.is_v3()
    };
    others.find(is_same)
}
