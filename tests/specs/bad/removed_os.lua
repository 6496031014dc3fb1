-- expect: ?
os.execute('true')
