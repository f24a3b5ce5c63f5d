# A note that is shorter than its addresses.
s/sizeof(stapsdt_name)) || n < sizeof(addr))/sizeof(stapsdt_name)))/
