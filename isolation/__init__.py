"""Child processes for code that may crash, hang or fill the memory on input from outside."""
