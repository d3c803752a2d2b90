"""python -m recovery"""

from recovery.cli.main import main

main()
