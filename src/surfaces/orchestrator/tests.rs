//! The operations of each call tool.

use super::CallToolKind;
use crate::catalog::TOOLS;
use tool::Effect;

#[test]
fn every_operation_has_one_call_tool() {
    for tool in TOOLS {
        let kind = CallToolKind::of_tool(tool);
        let grave = matches!(tool.effect, Effect::Money | Effect::Destructive);
        let expected = match tool.effect {
            Effect::Read => CallToolKind::Read,
            _ if grave || tool.bulk => CallToolKind::Destructive,
            Effect::Send => CallToolKind::Send,
            _ => CallToolKind::Write,
        };
        assert_eq!(kind, expected, "{}", tool.name);
    }
}
