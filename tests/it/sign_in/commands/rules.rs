//! Sections of rules by the command line: written from a file, named by a key, shown and removed.

use super::Office;

#[tokio::test]
async fn a_section_is_written_named_by_a_key_and_removed() {
    let office = Office::new();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("night.toml");
    let path = file.to_str().expect("UTF-8");
    let write = |text: &str| std::fs::write(&file, text).expect("a file");
    let put = ["policy", "sections", "put", "night", path];
    write("read_only = true\ncapz = 1\n");
    let (_, said) = office.run(&put, 2).await;
    for part in ["nothing was written", "line 2: capz is no key"] {
        assert!(said.contains(part), "{said}");
    }
    let key = [
        "keys",
        "create",
        "--name",
        "n8n",
        "--location",
        "acme",
        "--policy",
        "night",
    ];
    let (_, said) = office.run(&key, 2).await;
    assert!(said.contains("none is kept in the store"), "{said}");
    write("read_only = true\n");
    let (printed, _) = office.run(&put, 0).await;
    assert!(printed.contains("night is written, version 1"), "{printed}");
    write("many = \"human\"\n");
    office.run(&put, 0).await;
    let (printed, _) = office
        .run(&["policy", "sections", "show", "night"], 0)
        .await;
    assert_eq!(printed, "many = \"human\"\n");
    let (printed, _) = office.run(&["policy", "sections", "list"], 0).await;
    assert!(printed.starts_with("night\t2\tcommand line\t"), "{printed}");
    office.run(&key, 0).await;
    let remove = ["policy", "sections", "remove", "night"];
    let (printed, _) = office.run(&remove, 0).await;
    assert!(printed.contains("night is removed"), "{printed}");
    for gone in [&remove[..], &["policy", "sections", "show", "night"]] {
        let (_, said) = office.run(gone, 2).await;
        assert!(said.contains("there is no section night"), "{said}");
    }
}
