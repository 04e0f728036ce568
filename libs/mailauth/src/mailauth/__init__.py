"""Authentication of mail by the domains in it: pure logic, with a DNS resolver handed in (decision 75)."""
