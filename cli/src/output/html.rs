//! To come.
pub(super) fn write(
    _: &crate::document::Document,
    _: &mut dyn std::io::Write,
) -> std::io::Result<()> {
    Ok(())
}
