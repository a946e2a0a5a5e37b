//! The output of `tools scopes --app` for a Marketplace app: HighLevel would grant these scopes, and the guide for
//! agencies names them.

use std::process::Command;

use super::Sandbox;
use super::marketplace::{asked, choose, options};
use ::sandbox::{LOCATION, SandboxOptions};

fn printed(toolsets: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_highlevel-mcp"))
        .args(["tools", "scopes", "--app"])
        .args(toolsets)
        .output()
        .expect("run");
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test]
async fn an_app_for_sub_accounts_can_have_them() {
    let options = SandboxOptions {
        marketplace: options(),
        ..SandboxOptions::default()
    };
    let sandbox = Sandbox::start(options).await;
    for toolsets in [&[][..], &["official"], &["locations+saas-api"]] {
        let scopes = printed(toolsets);
        let scopes = scopes.trim_end();
        assert!(scopes.contains("oauth.readonly oauth.write"), "{scopes}");
        let fields = asked(&[("scope", scopes)]);
        let chosen = choose(&sandbox, fields, &[("location", LOCATION)]).await;
        assert!(chosen.is_ok(), "{toolsets:?}: {chosen:?}");
    }
}

#[test]
fn the_guide_lists_those_of_the_usual_tools() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(root.join("docs/agency.md")).expect("a guide");
    let scopes = printed(&["official"]);
    assert!(
        guide.contains(&format!("   {scopes}   ```")),
        "put this into docs/agency.md:\n{scopes}"
    );
}
