"""Steps that an image goes through before it is stored: one file per step, uint8 (H, W) in and out."""
