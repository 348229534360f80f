//! Makes the servers of `proto/`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = protox::compile(["proto/istio_ca.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .build_transport(false)
        .compile_fds(files)?;
    println!("cargo::rerun-if-changed=proto");
    Ok(())
}
