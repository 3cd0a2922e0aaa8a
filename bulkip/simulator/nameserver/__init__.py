"""The provider's own DNS: its name servers on loopback, and the feed of a real one.

`settings`, `troubles`, `faultchecks`, `log` and `beside` belong to every
simulation. The rest loads dnspython, which takes a while, and is imported by
`beside` alone, when somebody asks for DNS.
"""
