"""Photos and videos of people, read as upright BGR pictures whatever they were stored as."""
