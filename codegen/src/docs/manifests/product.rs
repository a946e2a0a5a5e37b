//! The facts about the program: packaging/product.toml, and those that Cargo.toml has already.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::error::{Errors, Problem};

const FILE: &str = "packaging/product.toml";
const CARGO: &str = "Cargo.toml";

/// Longest description that the registry of MCP servers accepts.
const LONGEST_DESCRIPTION: usize = 100;

/// The program's public description.
#[derive(Debug)]
pub struct Product {
    pub(super) package: CargoPackage,
    pub(super) facts: ProductFacts,
}

/// The facts in Cargo.toml.
#[derive(Debug, Deserialize)]
pub(super) struct CargoPackage {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) description: String,
    pub(super) license: String,
}

/// The facts in packaging/product.toml.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProductFacts {
    pub(super) title: String,
    pub(super) owner: String,
    pub(super) server: String,
    pub(super) account: Vec<String>,
    pub(super) sandbox: Vec<String>,
    pub(super) keywords: Vec<String>,
    pub(super) variables: Vec<AskedVariable>,
    pub(super) platforms: Vec<ReleasePlatform>,
}

/// An environment variable whose value a client asks its user for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AskedVariable {
    pub(super) name: String,
    /// Its name in the settings of clients.
    pub(super) id: String,
    pub(super) title: String,
    pub(super) text: String,
    pub(super) is_secret: bool,
}

/// A platform for which a release has a program.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReleasePlatform {
    pub(super) system: String,
    pub(super) processor: String,
    /// Only the release workflow reads this and the version of glibc.
    #[expect(dead_code, reason = "unknown keys are refused, and this one is known")]
    target: String,
    #[expect(dead_code, reason = "unknown keys are refused, and this one is known")]
    glibc: Option<String>,
}

impl Product {
    pub fn read(root: &Path) -> Result<Self, Errors> {
        #[derive(Deserialize)]
        struct Cargo {
            package: CargoPackage,
        }
        let Cargo { package } = parse(root, CARGO)?;
        let product = Self {
            package,
            facts: parse(root, FILE)?,
        };
        let problems = product.problems();
        match problems.is_empty() {
            true => Ok(product),
            false => Err(Errors(problems)),
        }
    }

    pub(super) fn repository(&self) -> String {
        format!(
            "https://github.com/{}/{}",
            self.facts.owner, self.package.name
        )
    }

    /// The name in the registry of MCP servers. The owner of the account may publish under it.
    pub(super) fn directory_name(&self) -> String {
        format!("io.github.{}/{}", self.facts.owner, self.package.name)
    }

    pub(super) fn image(&self) -> String {
        let CargoPackage { name, version, .. } = &self.package;
        format!("ghcr.io/{}/{name}:{version}", self.facts.owner)
    }

    pub(super) fn author(&self) -> Value {
        json!({ "name": format!("The {} developers", self.package.name) })
    }

    /// Arguments of `npx` that start this version for an account.
    pub(super) fn npx_arguments(&self) -> Vec<String> {
        let CargoPackage { name, version, .. } = &self.package;
        let package = ["-y".to_owned(), format!("{name}@{version}")];
        package
            .into_iter()
            .chain(self.facts.account.clone())
            .collect()
    }

    /// The values that a client asks its user for, by the variables' ids: a form that Claude's bundles and plugins
    /// share.
    pub(super) fn user_config(&self) -> Map<String, Value> {
        let variables = self.facts.variables.iter();
        let fields = variables.map(|one| {
            let field = json!({
                "type": "string",
                "title": one.title,
                "description": one.text,
                "required": true,
                "sensitive": one.is_secret,
            });
            (one.id.clone(), field)
        });
        fields.collect()
    }

    /// Values of the variables, each as the client's reference to its user's input.
    pub(super) fn environment(
        &self,
        value: impl Fn(&AskedVariable) -> String,
    ) -> Map<String, Value> {
        let variables = self.facts.variables.iter();
        variables
            .map(|one| (one.name.clone(), Value::from(value(one))))
            .collect()
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.package.description.chars().count() > LONGEST_DESCRIPTION {
            problems.push(Problem::new(
                CARGO,
                format!("the description has more than {LONGEST_DESCRIPTION} characters, which directories refuse"),
                "shorten it",
            ));
        }
        let is_account = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.facts.owner.is_empty() || !self.facts.owner.chars().all(is_account) {
            problems.push(Problem::new(
                FILE,
                format!(
                    "owner {:?} is not an account in small letters",
                    self.facts.owner
                ),
                "write it as in the addresses of images, which have no capital letters",
            ));
        }
        problems
    }
}

fn parse<T: DeserializeOwned>(root: &Path, file: &str) -> Result<T, Problem> {
    let text = fs::read_to_string(root.join(file)).map_err(|error| {
        Problem::new(
            file,
            format!("cannot be read: {error}"),
            "run the command at the root of the repository",
        )
    })?;
    toml::from_str(&text).map_err(|error| Problem::in_toml(file, &error))
}
