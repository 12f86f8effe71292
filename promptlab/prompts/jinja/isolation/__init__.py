"""Texts of strangers are worked on in processes of their own, which can be killed.

`pool` asks them and gives each so much time, `worker` is what runs in them, `operations` what they
can do, `wire` how it is asked and answered: JSON, which makes nothing but plain values.
"""
