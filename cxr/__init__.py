"""cxr: the library of cxrepro; arrays in, arrays out."""
