"""How a coupled run steps: its plan, what waits in buffers, fields on their way, one step."""
