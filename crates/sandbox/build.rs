//! Packs the imported documents into `OUT_DIR`.

#[path = "build/packing.rs"]
mod packing;

fn main() -> std::io::Result<()> {
    packing::pack()
}
