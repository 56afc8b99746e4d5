"""The commands of `yett`, one module per subject. Heavy modules are imported inside the commands that need them."""
