//! The typed client of passthru for tonic. The messages and clients are generated from the contract; [`error_detail`]
//! reads the detail that the service attaches to an error.

use prost::Message;

/// Generated from `passthru/v1/*.proto`.
#[allow(clippy::all, rustdoc::all)]
pub mod v1 {
    include!("gen/passthru/v1/passthru.v1.rs");
}

/// Returns the detail that the service attached to an error; `None` if the error has none, for example because the
/// service is unreachable.
pub fn error_detail(status: &tonic::Status) -> Option<v1::ErrorDetail> {
    let packed = tonic_types::Status::decode(status.details()).ok()?;
    let detail = packed
        .details
        .iter()
        .find(|detail| detail.type_url.ends_with("/passthru.v1.ErrorDetail"))?;
    v1::ErrorDetail::decode(&*detail.value).ok()
}
