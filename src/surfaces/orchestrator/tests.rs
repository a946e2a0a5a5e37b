//! Which call tool runs what.

use super::Kind;
use crate::catalog::TOOLS;
use tool::Effect;

#[test]
fn every_operation_has_one_call_tool() {
    for tool in TOOLS {
        let kind = Kind::of_tool(tool);
        let grave = matches!(tool.effect, Effect::Money | Effect::Destructive);
        let expected = match tool.effect {
            Effect::Read => Kind::Read,
            _ if grave || tool.bulk => Kind::Destructive,
            Effect::Send => Kind::Send,
            _ => Kind::Write,
        };
        assert_eq!(kind, expected, "{}", tool.name);
    }
}
