//! Generates the tools from `openapi/` into `OUT_DIR`.

fn main() {
    codegen::build::run();
}
