# SPDX-License-Identifier: Apache-2.0
"""The end-to-end harness: namespaces, processes, the agent, servers and load."""
